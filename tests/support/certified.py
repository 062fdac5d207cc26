"""Brokers that speak TLS and let in by certificate, and the authority that both sides trust.

Each shows a certificate for localhost, and an expired one to who asks for `EXPIRED` by name. It
takes client certificates of its authority, and their common name for the user's (EXTERNAL). Who
has none may log in otherwise. The fake ones are made here, the real ones by `.ci/rabbitmq`.
"""

import ssl
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import NamedTuple

import pytest
import trustme

from ammoo_fakebroker import FakeBroker
from tests.support.broker_matrix import Leg
from tests.support.operator import tls_url

__all__ = ["CERTIFIED", "EXPIRED", "TlsBroker", "tls_broker"]

CERTIFIED = "ammoo-certified"
"""The user who logs in with a certificate."""

EXPIRED = "expired.localhost"

MECHANISMS = ("PLAIN", "AMQPLAIN", "EXTERNAL")


class TlsBroker(NamedTuple):
    """A broker that speaks TLS.

    Attributes:
        url: Where it listens, without anything that says whom to trust.
        authority: Who has certified the broker, and certifies its clients.
    """

    url: str
    authority: trustme.CA

    def context(self, certificate: trustme.LeafCert | None = None) -> ssl.SSLContext:
        """Make what a client needs: trust in the broker, and its own certificate if it has one."""
        context = ssl.create_default_context()
        self.authority.configure_trust(context)
        if certificate is not None:
            certificate.configure_cert(context)
        return context


@pytest.fixture
def tls_broker(request: pytest.FixtureRequest) -> Iterator[TlsBroker]:
    """A broker that speaks TLS; a fake one is fresh."""
    leg: Leg = request.param
    if leg.url is None:
        with _fake(leg.version) as broker:
            yield broker
    else:
        url, _, pem = tls_url(leg.version).partition("?cacertfile=")
        key = Path(pem).with_suffix(".key")
        yield TlsBroker(url, trustme.CA.from_pem(Path(pem).read_bytes(), key.read_bytes()))


@contextmanager
def _fake(version: str) -> Iterator[TlsBroker]:
    authority = trustme.CA()
    yesterday = datetime.now(UTC) - timedelta(days=1)
    context = _server_context(authority, authority.issue_cert("localhost"))
    expired = _server_context(authority, authority.issue_cert(EXPIRED, not_after=yesterday))

    def choose(connection: ssl.SSLObject, name: str, _: ssl.SSLContext) -> None:
        if name == EXPIRED:
            connection.context = expired

    context.sni_callback = choose
    with FakeBroker(
        compatibility=version,
        tls=context,
        certificate_login="common_name",
        mechanisms=MECHANISMS,
    ) as fake:
        fake.add_user(CERTIFIED, None)
        yield TlsBroker(fake.url.replace("127.0.0.1", "localhost"), authority)


def _server_context(authority: trustme.CA, certificate: trustme.LeafCert) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    certificate.configure_cert(context)
    authority.configure_trust(context)
    context.verify_mode = ssl.CERT_OPTIONAL
    return context
