"""The URL of `ammoo.connect`: parameters come of it, or a ValueError or OSError that says why."""

from __future__ import annotations

from ammoo.uri import connection_parameters
from tests.fuzz.target import Finding, Target

__all__ = ["Urls"]

_SEEDS = (
    "amqp://",
    "amqp://guest:guest@localhost:5672/%2f",
    "amqps://user:p%40ss@[::1]:5671/vhost?heartbeat=10&connection_timeout=30000",
    "amqp://host/?channel_max=12&frame_max=8192&auth_mechanism=PLAIN&auth_mechanism=AMQPLAIN",
    "amqps://host/?cacertfile=/nowhere/ca.pem&certfile=/nowhere/c.pem&keyfile=/nowhere/k.pem",
    "amqps://host/?verify=verify_peer&server_name_indication=other&depth=3&password=x",
    "amqp://a:5672,b:5672/",
    "amqp://[fe80::1%25eth0]/v?heartbeat=0",
    "amqp:///?heartbeat=&frame_max=0",
    "http://host/",
)


class Urls(Target):
    """Text that is taken for a URL."""

    name = "url"

    def seeds(self) -> list[bytes]:
        return [url.encode() for url in _SEEDS]

    def run(self, octets: bytes) -> None:
        url = octets.decode("utf-8", "surrogateescape")
        try:
            parameters = connection_parameters(url)
        except (ValueError, OSError) as error:
            if not str(error):
                raise Finding(f"an error without a text for {url!r}") from error
            return
        repr(parameters)
