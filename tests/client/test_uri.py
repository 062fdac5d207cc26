"""URLs and keyword arguments: what they come to, and what cannot be understood."""

import ssl
from pathlib import Path
from traceback import format_exception
from typing import Any

import pytest
import trustme

from ammoo.auth.mechanisms.external import ExternalAuth
from ammoo.auth.password import PasswordAuthentication
from ammoo.parameters import ConnectionParameters
from ammoo.uri import connection_parameters


def _credentials(parameters: ConnectionParameters) -> tuple[str, str]:
    assert isinstance(parameters.auth, PasswordAuthentication)
    return parameters.auth.login, parameters.auth._password


def test_defaults() -> None:
    parameters = connection_parameters()

    assert ("localhost", 5672, "/") == (parameters.host, parameters.port, parameters.virtualhost)
    assert parameters.ssl_context is None
    assert ("guest", "guest") == _credentials(parameters)
    assert (131072, 2047) == (parameters.frame_max, parameters.channel_max)
    assert parameters.heartbeat_interval is None


@pytest.mark.parametrize(
    ("url", "host", "port", "virtualhost"),
    [
        ("amqp://", "localhost", 5672, "/"),
        ("amqp://host", "host", 5672, "/"),
        ("amqp://host/", "host", 5672, "/"),
        ("AMQP://host:1234/", "host", 1234, "/"),
        ("amqp://host/vhost", "host", 5672, "vhost"),
        ("amqp://host/%2F", "host", 5672, "/"),
        ("amqp://host/a%2fb%20c", "host", 5672, "a/b c"),
        ("amqp://:1234/v", "localhost", 1234, "v"),
        ("amqp://[::1]:1234/v", "::1", 1234, "v"),
        ("amqp://[::1]", "::1", 5672, "/"),
        ("amqp://host/v@x", "host", 5672, "v@x"),  # RFC 3986 allows it
        ("amqp://h%6fst", "host", 5672, "/"),
        ("amqp://%2Frun%2Fmq.sock/v", "/run/mq.sock", 5672, "v"),
        ("amqps://host", "host", 5671, "/"),
        ("amqps://host:1234", "host", 1234, "/"),
    ],
)
def test_location(url: str, host: str, port: int, virtualhost: str) -> None:
    parameters = connection_parameters(url)

    assert (host, port, virtualhost) == (parameters.host, parameters.port, parameters.virtualhost)
    assert (parameters.ssl_context is not None) == url.startswith("amqps")


@pytest.mark.parametrize(
    ("url", "login", "password"),
    [
        ("amqp://user:pass@host", "user", "pass"),
        ("amqp://user@host", "user", "guest"),
        ("amqp://user:@host", "user", ""),
        ("amqp://:@host", "", ""),
        ("amqp://us%65r:p%40ss%2F%3A@host", "user", "p@ss/:"),
        ("amqp://us:er:pa@host", "us", "er:pa"),
    ],
)
def test_credentials(url: str, login: str, password: str) -> None:
    assert (login, password) == _credentials(connection_parameters(url))


def test_keywords_override_the_url() -> None:
    parameters = connection_parameters(
        "amqps://user:pass@host:1/v?heartbeat_interval=7&frame_max=8192&channel_max=9",
        host="other",
        port=2,
        virtualhost="w",
        ssl=False,
        login="me",
        password="secret",
        heartbeat_interval=0,
        frame_max=4096,
        channel_max=5,
    )

    assert ("other", 2, "w") == (parameters.host, parameters.port, parameters.virtualhost)
    assert parameters.ssl_context is None
    assert ("me", "secret") == _credentials(parameters)
    assert (0, 4096, 5) == (
        parameters.heartbeat_interval,
        parameters.frame_max,
        parameters.channel_max,
    )


def test_empty_virtualhost_is_reached_by_keyword() -> None:
    assert "" == connection_parameters("amqp://host/v", virtualhost="").virtualhost


def test_query_of_both_kinds() -> None:
    parameters = connection_parameters(
        "amqp://host?heartbeat=5&connection_timeout=1500&channel_max=3&frame_max=9000"
    )

    assert (5, 1.5, 3, 9000) == (
        parameters.heartbeat_interval,
        parameters.connection_timeout,
        parameters.channel_max,
        parameters.frame_max,
    )
    assert connection_parameters(connection_timeout=0).connection_timeout is None


@pytest.mark.parametrize(
    ("options", "timeouts"),
    [
        ({}, (30.0, None)),
        ({"is_one_of_several": True}, (10.0, 5.0)),
        ({"is_one_of_several": True, "connection_timeout": 60}, (60.0, None)),
        ({"is_one_of_several": True, "connection_timeout": 0}, (None, None)),
        ({"is_one_of_several": True, "url": "amqp://host?connection_timeout=15000"}, (15.0, None)),
    ],
)
def test_time_outs_are_short_where_another_attempt_follows(
    options: dict[str, Any], timeouts: tuple[float | None, float | None]
) -> None:
    parameters = connection_parameters(**options)

    assert timeouts == (parameters.connection_timeout, parameters.address_timeout)


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("http://host", "amqp:// or amqps://; this one begins with http://"),
        ("amqp+ssl://host", "this one begins with amqp+ssl://"),
        ("user:secret://host", "begins with amqp:// or amqps://"),
        ("amqp:/host", "amqp:// or amqps://"),
        ("amqp://a:5672,b:5672/", "several hosts, separated by commas"),
        ("amqp://a,b", "several hosts"),
        ("amqp://guest:secret,guest", "several hosts"),
        ("amqps://host?server_name_indication=", "the URL's server_name_indication is empty"),
        ("amqps://host?server_name_indication", "the URL's server_name_indication is empty"),
        ("amqps://host?cacertfile=", "the URL's cacertfile is empty"),
        ("amqps://host?certfile=", "the URL's certfile is empty"),
        ("amqps://host?password=", "the URL's password is empty"),
        ("amqp://host?heartbeat=&frame_max=5000", "the URL's heartbeat is empty"),
        ("amqp://host?auth_mechanism=", "the URL's auth_mechanism is empty"),
        ("user:secret@host", "amqp:// or amqps://"),
        ("amqp://host/a/b", "%2F"),
        ("amqp://host:port", "port"),
        ("amqp://guest:secret@host/v\n", "white space at one of its ends"),
        (" amqp://guest:secret@host/v", "white space at one of its ends"),
        ("amqp://guest:sec\tret@host/v", "a character that does not print"),
        ("amqp://guest:sec\u200dret@host/v", "a character that does not print"),
        ("amqp://host:99999", "port"),
        ("amqp://::1", "brackets"),
        ("amqp://[::1", "bracket"),
        ("amqp://host?hartbeat=5", "unknown query parameter 'hartbeat'"),
        ("amqp://host?heartbeat=-5", "heartbeat is '-5'"),
        ("amqp://host?password=a&secret&verify=verify_peer", "write %26 for &"),
        ("amqps://host?verify=maybe", "verify_peer or verify_none"),
        ("amqp://host?auth_mechanism=kerberos", "unknown mechanism 'KERBEROS'"),
    ],
)
def test_what_cannot_be_understood(url: str, words: str) -> None:
    with pytest.raises(ValueError, match=r".") as caught:
        connection_parameters(url)

    assert words in str(caught.value)
    assert "secret" not in str(caught.value)


@pytest.mark.parametrize(
    "url",
    [
        "amqp://guest:s3cret/w0rd@host",
        "amqp://guest:s3cret?w0rd@host/",
        "amqp://guest:s3cret/w0rd@host/",
        "amqp://guest:12?s3cret=w0rd@host/",
        "amqp://guest:12/s3cret/w0rd@host/",
        "amqp://guest:a:s3cret/w0rd@host",
        "amqp://guest:[s3cret/w0rd@host",
        "amqp://guest:an@s3cret/w0rd@host/",
    ],
)
def test_password_with_a_delimiter_is_not_quoted(url: str) -> None:
    with pytest.raises(ValueError, match=r"%2F for /, %3F for \? and %40 for @") as caught:
        connection_parameters(url)

    shown = "".join(format_exception(caught.value, chain=True))
    assert "s3cret" not in str(caught.value)
    assert "w0rd" not in str(caught.value)
    assert "During handling" not in shown


@pytest.mark.parametrize(
    "url", ["amqp://guest:s3cret", "amqp://guest:a:s3cret", "amqp://guest:[s3cret"]
)
def test_password_without_a_host_is_not_quoted(url: str) -> None:
    with pytest.raises(ValueError, match=r"port|brackets") as caught:
        connection_parameters(url)

    assert "s3cret" not in str(caught.value)


@pytest.mark.parametrize(
    ("keyword", "words"),
    [
        ({"url": 5672}, "url is of type int; expected a str"),
        ({"url": b"amqp://guest:s3cret@host"}, "url is of type bytes; expected a str"),
        ({"host": b"host"}, "host is of type bytes"),
        ({"virtualhost": 3}, "virtualhost is of type int; expected a str"),
        ({"login": 3}, "login is of type int"),
        ({"password": b"s3cret"}, "password is of type bytes"),
        ({"connection_name": 3}, "connection_name is of type int"),
        ({"auth": ("guest", "s3cret")}, "auth is of type tuple; expected an Authentication or"),
        ({"auth": ExternalAuth}, "auth is of type ABCMeta"),
        ({"ssl_context": True}, "ssl_context is of type bool; expected an ssl.SSLContext"),
        ({"frame_max": "5"}, "frame_max is '5'; expected a whole number from 0 to 4294967295"),
        ({"connection_timeout": "5"}, "connection_timeout is '5'; expected seconds, 0 or more"),
        ({"operation_timeout": "5"}, "operation_timeout is '5'"),
        ({"blocked_timeout": "5"}, "blocked_timeout is '5'"),
        ({"heartbeat_interval": 1.5}, "heartbeat_interval is 1.5"),
        ({"heartbeat_interval": True}, "heartbeat_interval is True"),
        ({"operation_timeout": False}, "operation_timeout is False"),
    ],
)
def test_arguments_of_a_wrong_type(keyword: dict[str, Any], words: str) -> None:
    with pytest.raises(TypeError, match=words) as caught:
        connection_parameters(**keyword)

    assert "s3cret" not in str(caught.value)


@pytest.mark.parametrize(
    ("keyword", "words"),
    [
        ({"port": 70000}, "port is 70000; expected a whole number from 1 to 65535"),
        ({"port": 0}, "port is 0"),
        ({"heartbeat_interval": -1}, "heartbeat_interval is -1; expected a whole number from 0"),
        ({"channel_max": 65536}, "channel_max is 65536"),
        ({"connection_timeout": -1}, "connection_timeout is -1; expected seconds, 0 or more"),
        ({"operation_timeout": float("nan")}, "operation_timeout is nan"),
        ({"blocked_timeout": -0.5}, "blocked_timeout is -0.5"),
    ],
)
def test_numbers_that_cannot_be(keyword: dict[str, Any], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        connection_parameters(**keyword)


def test_ssl_context_turns_encryption_on() -> None:
    context = ssl.create_default_context()

    parameters = connection_parameters("amqp://host", ssl_context=context)

    assert parameters.ssl_context is context
    assert 5671 == parameters.port
    assert connection_parameters(ssl=False, ssl_context=context).ssl_context is None


def test_tls_verifies_by_default() -> None:
    context = connection_parameters(ssl=True).ssl_context

    assert context is not None
    assert context.verify_mode is ssl.CERT_REQUIRED
    assert context.check_hostname


@pytest.mark.parametrize("keywords", [{}, {"ssl_context": ssl.create_default_context()}])
def test_tls_over_a_unix_socket_needs_a_name_to_check(keywords: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="server_name_indication=NAME"):
        connection_parameters("amqps://%2Frun%2Fmq.sock", **keywords)

    named = connection_parameters(
        "amqps://%2Frun%2Fmq.sock?server_name_indication=broker", **keywords
    )
    assert "broker" == named.server_hostname


@pytest.mark.parametrize("query", ["server_name_indication=disable", "verify=verify_none"])
def test_tls_over_a_unix_socket_with_the_check_turned_off(query: str) -> None:
    parameters = connection_parameters(f"amqps://%2Frun%2Fmq.sock?{query}")

    assert parameters.ssl_context is not None
    assert not parameters.ssl_context.check_hostname


def test_tls_of_the_query(tmp_path: Path) -> None:
    authority = trustme.CA()
    authority.cert_pem.write_to_path(tmp_path / "ca+1.pem")
    mine = authority.issue_cert("me")
    mine.cert_chain_pems[0].write_to_path(tmp_path / "cert.pem")
    mine.private_key_pem.write_to_path(tmp_path / "key.pem")

    parameters = connection_parameters(
        f"amqps://host?cacertfile={tmp_path}/ca+1.pem&certfile={tmp_path}/cert.pem"
        f"&keyfile={tmp_path}/key.pem&verify=verify_peer&server_name_indication=broker"
    )

    assert parameters.ssl_context is not None
    assert 1 == len(parameters.ssl_context.get_ca_certs())
    assert "broker" == parameters.server_hostname
    unverified = connection_parameters("amqps://host?verify=verify_none").ssl_context
    assert unverified is not None
    assert unverified.verify_mode is ssl.CERT_NONE


@pytest.mark.parametrize(
    ("query", "words"),
    [
        ("cacertfile=/no/ca.pem", "the URL's cacertfile '/no/ca.pem'"),
        ("certfile=/no/me.pem", "the URL's certfile '/no/me.pem'"),
        (
            "certfile=/no/me.pem&keyfile=/no/key.pem&password=s3cret",
            "the URL's certfile '/no/me.pem' and keyfile '/no/key.pem'",
        ),
    ],
)
def test_file_that_is_not_there(query: str, words: str) -> None:
    with pytest.raises(FileNotFoundError) as caught:
        connection_parameters(f"amqps://host?{query}")

    assert f"[Errno 2] No such file or directory: {words}" == str(caught.value)


@pytest.mark.parametrize("name", ["cacertfile", "certfile"])
def test_file_that_holds_something_else(tmp_path: Path, name: str) -> None:
    file = tmp_path / "ca.pem"
    file.write_text("no certificate")

    with pytest.raises(ssl.SSLError) as caught:
        connection_parameters(f"amqps://host?{name}={file}")

    assert f"the URL's {name} {str(file)!r}" in str(caught.value)


@pytest.mark.parametrize(
    "shown",
    [
        lambda p: repr(p),
        lambda p: repr(p.auth),
        lambda p: p.address,
        lambda p: repr(p.auth.select_mechanism({"PLAIN"})),
        lambda p: repr(p.auth.select_mechanism({"AMQPLAIN"})),
    ],
)
def test_password_is_shown_nowhere(shown: Any) -> None:
    parameters = connection_parameters("amqp://user:hunter2@host")

    assert "hunter2" not in shown(parameters)


def test_own_authentication_is_taken_as_it_is() -> None:
    auth = ExternalAuth()

    assert connection_parameters("amqp://user:pass@host", auth=auth).auth is auth
