"""A certificate for a broker, and the authority that has issued it.

trustme makes both. It is an extra, because most brokers in tests speak plain TCP.
"""

from __future__ import annotations

import ssl
from pathlib import Path

from .problems import CommandError

__all__ = ["generate_certificates"]

_NAMES = ("localhost", "127.0.0.1", "::1")


def generate_certificates(folder: Path) -> ssl.SSLContext:
    """Make an authority, a certificate for this machine and one for a client named guest.

    Args:
        folder: Where to write ``authority.pem``, ``server.pem`` and ``client.pem``; the last two
            hold a key and its certificate.

    Returns:
        The context for the server. It asks clients for a certificate, but does not require one.

    Raises:
        CommandError: trustme is not installed, or the folder cannot be written to.
    """
    try:
        import trustme
    except ImportError:
        raise CommandError(
            "--tls-generate needs trustme; install it with pip install 'ammoo-fakebroker[tls]'"
        ) from None
    authority = trustme.CA()
    server = authority.issue_cert(*_NAMES)
    client = authority.issue_cert(common_name="guest", organization_name="ammoo-fakebroker")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        authority.cert_pem.write_to_path(folder / "authority.pem")
        server.private_key_and_cert_chain_pem.write_to_path(folder / "server.pem")
        client.private_key_and_cert_chain_pem.write_to_path(folder / "client.pem")
    except OSError as error:
        raise CommandError(f"cannot write certificates to {folder}: {error.strerror}") from None
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.configure_cert(context)
    authority.configure_trust(context)
    context.verify_mode = ssl.CERT_OPTIONAL
    return context
