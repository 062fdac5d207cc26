"""TLS on brokers: login by certificate, and what one reads when somebody is not who they should be."""

import asyncio
import ssl
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import urlsplit

import pytest
import trustme

import ammoo
from ammoo.auth.mechanisms.external import ExternalAuth
from ammoo.exceptions.connection import ConnectionLost, LoginRefused
from tests.support.certified import CERTIFIED, EXPIRED, TlsBroker


def certificate_for(name: str, authority: trustme.CA, days: int = 1) -> trustme.LeafCert:
    """Certify a client."""
    expires = datetime.now(UTC) + timedelta(days=days)
    return authority.issue_cert(name, common_name=name, not_after=expires)


async def test_password_goes_through_tls(tls_broker: TlsBroker) -> None:
    async with (
        await ammoo.connect(tls_broker.url, ssl_context=tls_broker.context()) as connection,
        connection.channel() as channel,
    ):
        queue = (await channel.declare_queue("", exclusive=True)).queue_name
        await channel.publish("", queue, bytes(300_000))

        message = await channel.get(queue, no_ack=True)

    assert bytes(300_000) == message.body


async def test_ssl_forces_encryption_on_and_off(tls_broker: TlsBroker, broker_url: str) -> None:
    encrypted = urlsplit(tls_broker.url)
    context = tls_broker.context()

    async with await ammoo.connect(
        "amqp://localhost/", port=encrypted.port, ssl=True, ssl_context=context
    ) as connection:
        assert connection.entered
    with pytest.raises(ssl.SSLCertVerificationError):  # it verifies against what the system trusts
        await ammoo.connect(port=encrypted.port, ssl=True)
    async with await ammoo.connect(
        broker_url.replace("amqp://", "amqps://"), ssl=False
    ) as connection:
        assert connection.entered


async def test_client_certificate_is_the_login(tls_broker: TlsBroker) -> None:
    certificate = certificate_for(CERTIFIED, tls_broker.authority)
    context = tls_broker.context(certificate)

    async with (
        await ammoo.connect(
            tls_broker.url, ssl_context=context, auth=ExternalAuth(), login="nobody"
        ) as connection,
        connection.channel() as channel,
    ):
        queue = (await channel.declare_queue("", exclusive=True)).queue_name
        # The server compares the property with who we are (RabbitMQ's validated user-id).
        await channel.select_confirm()
        await channel.publish("", queue, b"", user_id=CERTIFIED)


async def test_client_certificate_by_url(tls_broker: TlsBroker, tmp_path: Path) -> None:
    certificate = certificate_for(CERTIFIED, tls_broker.authority)
    tls_broker.authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    certificate.cert_chain_pems[0].write_to_path(tmp_path / "client.pem")
    certificate.private_key_pem.write_to_path(tmp_path / "client.key")
    _, _, location = tls_broker.url.rpartition("@")
    query = (
        f"cacertfile={tmp_path}/ca.pem&certfile={tmp_path}/client.pem"
        f"&keyfile={tmp_path}/client.key&auth_mechanism=external"
    )

    async with await ammoo.connect(f"amqps://{location.removeprefix('amqps://')}?{query}") as c:
        assert c.entered


@pytest.mark.parametrize("name", [None, "ammoo-nobody"])
async def test_login_by_certificate_of_nobody_known(
    tls_broker: TlsBroker, name: str | None
) -> None:
    certificate = None if name is None else certificate_for(name, tls_broker.authority)
    connection = await ammoo.connect(
        tls_broker.url, ssl_context=tls_broker.context(certificate), auth=ExternalAuth()
    )

    with pytest.raises(LoginRefused, match="mechanism EXTERNAL") as caught:
        await connection.__aenter__()

    assert "EXTERNAL" == caught.value.mechanism


@pytest.mark.parametrize(
    "make_certificate",
    [
        lambda broker: certificate_for(CERTIFIED, trustme.CA()),
        lambda broker: certificate_for(CERTIFIED, broker.authority, days=-1),
    ],
    ids=["of another authority", "expired"],
)
async def test_client_certificate_that_is_not_taken(
    tls_broker: TlsBroker, make_certificate: Callable[[TlsBroker], trustme.LeafCert]
) -> None:
    """What the server says is an alert of TLS, and the socket's end may arrive in its place."""
    context = tls_broker.context(make_certificate(tls_broker))
    connection = await ammoo.connect(tls_broker.url, ssl_context=context, auth=ExternalAuth())

    with pytest.raises(ConnectionLost) as caught:
        await connection.__aenter__()

    assert "reject or require a client certificate" in caught.value.__notes__[0]
    assert caught.value is connection.closing_exc


async def test_server_of_an_unknown_authority(tls_broker: TlsBroker) -> None:
    with pytest.raises(ssl.SSLCertVerificationError, match="self-signed certificate"):
        await ammoo.connect(tls_broker.url)


async def test_server_with_an_expired_certificate(tls_broker: TlsBroker) -> None:
    with pytest.raises(ssl.SSLCertVerificationError, match="certificate has expired"):
        await ammoo.connect(
            f"{tls_broker.url}?server_name_indication={EXPIRED}", ssl_context=tls_broker.context()
        )


async def test_server_with_another_name(tls_broker: TlsBroker) -> None:
    context = tls_broker.context()

    with pytest.raises(ssl.SSLCertVerificationError, match=r"not valid for '127\.0\.0\.1'"):
        await ammoo.connect(tls_broker.url, host="127.0.0.1", ssl_context=context)
    with pytest.raises(ssl.SSLCertVerificationError, match=r"not valid for 'broker\.example'"):
        await ammoo.connect(
            f"{tls_broker.url}?server_name_indication=broker.example", ssl_context=context
        )


async def test_server_that_speaks_no_tls(broker_url: str) -> None:
    """RabbitMQ answers what is no AMQP with its own header, in the clear."""
    _, _, location = broker_url.rpartition("@")

    async with asyncio.timeout(50):
        with pytest.raises(ssl.SSLError, match=r"(?i)wrong.version.number"):
            await ammoo.connect(f"amqps://{location.removeprefix('amqp://')}")
