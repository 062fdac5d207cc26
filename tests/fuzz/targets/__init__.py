"""What is fuzzed: a module for each target; `TARGETS` lists them."""

from tests.fuzz.target import Target
from tests.fuzz.targets.broker import BrokerOctets, BrokerPrograms
from tests.fuzz.targets.client import ClientCalls, ClientOctets
from tests.fuzz.targets.url import Urls
from tests.fuzz.targets.wire import WireOctets, WireValues
from tests.fuzz.targets.wire_calls import WireCalls

__all__ = ["TARGETS"]

TARGETS: dict[str, type[Target]] = {
    target.name: target
    for target in (
        Urls,
        WireOctets,
        WireValues,
        WireCalls,
        BrokerOctets,
        BrokerPrograms,
        ClientOctets,
        ClientCalls,
    )
}
