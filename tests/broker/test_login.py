"""Logging in by each mechanism, over TLS where that is the point."""

import socket
import ssl

import pytest
import trustme

from ammoo_fakebroker import FakeBroker
from ammoo_fakebroker.auth.login import Login, Peer
from ammoo_fakebroker.auth.users import Permissions, Users
from ammoo_wire import Accepted, Challenge, Refused, amqplain_response, plain_response

LOCAL = Peer()


@pytest.fixture
def users() -> Users:
    users = Users()
    users.add("guest", "guest")
    users.add("bob", "secret")
    users.add("CN=robot,O=trustme", None)
    return users


def test_plain_and_amqplain_take_a_password(users: Users) -> None:
    assert Accepted() == Login(users, LOCAL).answer("PLAIN", plain_response("bob", "secret"))
    assert Accepted() == Login(users, LOCAL).answer("AMQPLAIN", amqplain_response("bob", "secret"))


def test_wrong_password_is_refused_with_the_mechanism_named(users: Users) -> None:
    verdict = Login(users, LOCAL).answer("PLAIN", plain_response("bob", "guess"))

    assert isinstance(verdict, Refused)
    assert "authentication mechanism PLAIN" in (verdict.text or "")


@pytest.mark.parametrize("mechanism", ["PLAIN", "AMQPLAIN"])
def test_malformed_response_gets_no_answer(users: Users, mechanism: str) -> None:
    assert Refused(None) == Login(users, LOCAL).answer(mechanism, b"what?")


def test_guest_logs_in_from_this_machine_only(users: Users) -> None:
    far = Peer("203.0.113.7", 1, is_loopback=False)

    assert isinstance(Login(users, far).answer("PLAIN", plain_response("guest", "guest")), Refused)
    assert Accepted() == Login(users, far).answer("PLAIN", plain_response("bob", "secret"))


def test_user_without_a_password_cannot_use_one(users: Users) -> None:
    verdict = Login(users, LOCAL).answer("PLAIN", plain_response("CN=robot,O=trustme", ""))

    assert isinstance(verdict, Refused)


def test_challenge_and_response(users: Users) -> None:
    login = Login(users, LOCAL)

    assert Challenge(b"Please tell me your password") == login.answer("RABBIT-CR-DEMO", b"bob")
    assert Accepted() == login.answer("RABBIT-CR-DEMO", b"My password is secret")
    assert "bob" == (login.user and login.user.name)


def test_challenge_with_an_odd_response(users: Users) -> None:
    login = Login(users, LOCAL)
    login.answer("RABBIT-CR-DEMO", b"bob")

    assert Refused(None) == login.answer("RABBIT-CR-DEMO", b"secret")


def test_external_takes_the_name_of_the_certificate(users: Users) -> None:
    known = Peer(certificate_name="CN=robot,O=trustme")

    assert Accepted() == Login(users, known).answer("EXTERNAL", b"")
    assert isinstance(Login(users, LOCAL).answer("EXTERNAL", b""), Refused)


def test_anonymous_is_guest(users: Users) -> None:
    login = Login(users, LOCAL)

    assert Accepted() == login.answer("ANONYMOUS", b"")
    assert "guest" == (login.user and login.user.name)


def test_broker_speaks_tls_and_reads_certificates() -> None:
    authority = trustme.CA()
    server = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    server.verify_mode = ssl.CERT_REQUIRED
    authority.configure_trust(server)
    authority.issue_cert("127.0.0.1").configure_cert(server)
    client = ssl.create_default_context()
    authority.configure_trust(client)
    authority.issue_cert("robot@example.org", common_name="robot").configure_cert(client)

    with FakeBroker(tls=server, mechanisms=["EXTERNAL"], certificate_login="common_name") as broker:
        broker.add_user("robot", None)
        assert broker.url_for("robot").startswith("amqps://robot:@127.0.0.1:")
        with (
            socket.create_connection((broker.host, broker.port), timeout=10) as plain,
            client.wrap_socket(plain, server_hostname="127.0.0.1") as secured,
        ):
            secured.sendall(b"AMQP\x00\x00\x09\x01")
            start = secured.recv(65536)

    assert b"EXTERNAL" in start
    assert b"PLAIN" not in start


@pytest.mark.parametrize(
    ("pattern", "name", "allowed"),
    [
        (".*", "anything", True),
        ("^a", "abc", True),
        ("^a", "bac", False),
        ("b", "abc", True),
        ("", "abc", False),
        ("", "", True),
    ],
)
def test_permissions_are_regular_expressions(pattern: str, name: str, allowed: bool) -> None:
    assert allowed == Permissions(write=pattern).allows("write", name)
