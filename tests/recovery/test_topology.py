"""What is recorded, what is forgotten with what, what is renamed, and what is declared again."""

from typing import Any

import pytest

from ammoo.topology import Topology
from ammoo.topology_records import BindingRecord, Entity, ExchangeRecord, QueueRecord
from ammoo_wire import (
    BasicConsumeParameters,
    ExchangeBindParameters,
    ExchangeDeclareParameters,
    ExchangeUnbindParameters,
    QueueBindParameters,
    QueueDeclareParameters,
    QueueUnbindParameters,
)


def names(topology: Topology) -> list[str]:
    """Return what would be declared again, in order, each as a short text."""
    return [show(topology, entity) for entity in topology.plan().entities]


def show(topology: Topology, entity: Entity) -> str:
    assert isinstance(entity, ExchangeRecord | QueueRecord | BindingRecord)
    request: Any = topology.request_for(entity)
    if isinstance(request, ExchangeDeclareParameters):
        return f"exchange {request.exchange_name}"
    if isinstance(request, QueueDeclareParameters):
        return f"queue {request.queue_name or '(server names it)'}"
    if isinstance(request, ExchangeBindParameters):
        return f"{request.source} -{request.routing_key}> exchange {request.destination}"
    return f"{request.exchange_name} -{request.routing_key}> queue {request.queue_name}"


class Wishes(Topology):
    """A topology with short verbs."""

    def exchange(self, name: str, **options: Any) -> None:
        self.exchange_declared(ExchangeDeclareParameters(name, "topic", **options))

    def queue(self, name: str, given: str = "", **options: Any) -> QueueRecord:
        record = self.queue_declared(QueueDeclareParameters(name, **options), name or given)
        assert record is not None
        return record

    def bind(self, queue: str, exchange: str, key: str = "k", **arguments: Any) -> None:
        self.bound(QueueBindParameters(queue, exchange, key, False, arguments))

    def unbind(self, queue: str, exchange: str, key: str = "k", **arguments: Any) -> Any:
        return self.forget_binding(QueueUnbindParameters(queue, exchange, key, arguments))

    def bind_exchange(self, destination: str, source: str, key: str = "k") -> None:
        self.bound(ExchangeBindParameters(destination, source, key))

    def unbind_exchange(self, destination: str, source: str, key: str = "k") -> None:
        self.forget_binding(ExchangeUnbindParameters(destination, source, key))

    def consume(self, consumer: object, queue: str, channel: object = "channel") -> None:
        self.consumer_started(consumer, channel, BasicConsumeParameters(queue))


@pytest.fixture
def topology() -> Wishes:
    return Wishes()


# --- recording -----------------------------------------------------------------------------------


def test_everything_is_declared_again_in_order(topology: Wishes) -> None:
    topology.queue("orders")
    topology.exchange("shop")
    topology.bind("orders", "shop")
    topology.exchange("audit")
    topology.bind_exchange("audit", "shop", "#")
    topology.queue("", given="amq.gen-1")

    assert [
        "exchange shop",
        "exchange audit",
        "queue (server names it)",
        "queue orders",
        "shop -#> exchange audit",
        "shop -k> queue orders",
    ] == names(topology)
    assert 6 == len(topology)


def test_last_declaration_counts(topology: Wishes) -> None:
    topology.queue("orders")
    topology.queue("orders", durable=True)

    (record,) = topology.plan().queues
    assert QueueDeclareParameters("orders", durable=True) == topology.request_for(record)


def test_passive_declarations_are_not_recorded(topology: Wishes) -> None:
    topology.exchange("shop", passive=True)
    topology.queue_declared(QueueDeclareParameters("orders", passive=True), "orders")

    assert [] == names(topology)


def test_the_servers_own_exchanges_are_not_declared_but_bound(topology: Wishes) -> None:
    topology.exchange("amq.topic")
    topology.exchange("")
    topology.queue("orders")
    topology.bind("orders", "amq.topic")
    topology.bind("orders", "")

    assert ["queue orders", "amq.topic -k> queue orders"] == names(topology)


def test_binding_of_what_another_connection_declared_is_recorded(topology: Wishes) -> None:
    topology.bind("theirs", "also-theirs")

    assert ["also-theirs -k> queue theirs"] == names(topology)


def test_arguments_are_copied(topology: Wishes) -> None:
    arguments: dict[str, Any] = {"x-max-length": 3}
    topology.queue("orders", arguments=arguments)
    arguments.clear()

    (record,) = topology.plan().queues
    assert {"x-max-length": 3} == topology.request_for(record).arguments


def test_binding_that_is_repeated_is_recorded_once(topology: Wishes) -> None:
    topology.bind("orders", "shop", a=1, b=[1, 2])
    topology.bind("orders", "shop", b=[1, 2], a=1)

    assert ["shop -k> queue orders"] == names(topology)


@pytest.mark.parametrize("other", [{"a": 2}, {"a": True}, {"a": "1"}, {}, {"a": {"b": 1}}])
def test_arguments_tell_bindings_apart(topology: Wishes, other: dict[str, Any]) -> None:
    topology.bind("orders", "shop", a=1)
    topology.bind("orders", "shop", **other)

    topology.unbind("orders", "shop", **other)

    (binding,) = topology.plan().queue_bindings
    assert {"a": 1} == binding.arguments


# --- forgetting ----------------------------------------------------------------------------------


def test_deleted_queue_takes_bindings_and_consumers_along(topology: Wishes) -> None:
    topology.exchange("shop")
    topology.queue("orders")
    topology.bind("orders", "shop")
    topology.consume("c", "orders")

    topology.forget_queue("orders")

    assert ["exchange shop"] == names(topology)
    assert topology.consumer_record("c") is None


def test_deleted_exchange_takes_bindings_on_either_side_along(topology: Wishes) -> None:
    topology.exchange("shop")
    topology.exchange("audit")
    topology.exchange("archive")
    topology.queue("orders")
    topology.bind_exchange("audit", "shop")
    topology.bind_exchange("archive", "audit")
    topology.bind("orders", "audit")

    topology.forget_exchange("audit")

    assert ["exchange shop", "exchange archive", "queue orders"] == names(topology)


def test_auto_delete_exchange_goes_with_the_last_binding_from_it(topology: Wishes) -> None:
    topology.exchange("shop", auto_delete=True)
    topology.queue("a")
    topology.queue("b")
    topology.bind("a", "shop")
    topology.bind("b", "shop")

    topology.unbind("a", "shop")
    assert ["exchange shop", "queue a", "queue b", "shop -k> queue b"] == names(topology)
    topology.forget_queue("b")
    assert ["queue a"] == names(topology)


def test_auto_delete_exchange_that_was_never_bound_stays(topology: Wishes) -> None:
    topology.exchange("shop", auto_delete=True)
    topology.exchange("audit")
    topology.bind_exchange("shop", "audit")

    topology.unbind_exchange("shop", "audit")

    assert ["exchange shop", "exchange audit"] == names(topology)


def test_auto_delete_exchanges_go_one_after_the_other(topology: Wishes) -> None:
    topology.exchange("a", auto_delete=True)
    topology.exchange("b", auto_delete=True)
    topology.exchange("c", auto_delete=True)
    topology.bind_exchange("b", "a")
    topology.bind_exchange("c", "b")
    topology.queue("orders")
    topology.bind("orders", "c")

    topology.forget_queue("orders")

    assert [] == names(topology)


def test_circle_of_auto_delete_exchanges_ends(topology: Wishes) -> None:
    topology.exchange("a", auto_delete=True)
    topology.exchange("b", auto_delete=True)
    topology.bind_exchange("b", "a")
    topology.bind_exchange("a", "b")

    topology.forget_exchange("a")

    assert [] == names(topology)


def test_auto_delete_queue_goes_with_its_last_consumer(topology: Wishes) -> None:
    topology.exchange("shop", auto_delete=True)
    topology.queue("orders", auto_delete=True)
    topology.bind("orders", "shop")
    topology.consume("one", "orders")
    topology.consume("two", "orders")

    topology.forget_consumer("one")
    assert ["exchange shop", "queue orders", "shop -k> queue orders"] == names(topology)
    topology.forget_consumer("two")
    assert [] == names(topology)


def test_auto_delete_queue_without_consumers_stays(topology: Wishes) -> None:
    topology.queue("orders", auto_delete=True)

    assert ["queue orders"] == names(topology)


def test_closed_channel_takes_its_consumers_along_and_nothing_else(topology: Wishes) -> None:
    topology.queue("temporary", auto_delete=True)
    topology.queue("orders")
    topology.consume("one", "temporary", channel="closed")
    topology.consume("two", "orders", channel="closed")
    topology.consume("three", "orders", channel="open")

    topology.forget_channel("closed")

    assert ["queue orders"] == names(topology)
    assert ["three"] == [record.consumer for record in topology.consumers_on("open")]


def test_consumer_that_is_not_restored_leaves_its_queue(topology: Wishes) -> None:
    topology.queue("orders", auto_delete=True)
    topology.consume("one", "orders")

    topology.drop_consumer("one")

    assert ["queue orders"] == names(topology)


def test_what_is_not_known_is_forgotten_without_complaint(topology: Wishes) -> None:
    topology.forget_queue("orders")
    topology.forget_exchange("shop")
    topology.unbind("orders", "shop")
    topology.unbind_exchange("shop", "audit")
    topology.forget_consumer("c")
    topology.drop_consumer("c")

    assert 0 == len(topology)


def test_nothing_is_left_of_foreign_names(topology: Wishes) -> None:
    topology.bind("theirs", "also-theirs")
    topology.consume("c", "theirs")
    topology.unbind("theirs", "also-theirs")
    topology.forget_consumer("c")

    assert ({}, {}) == (topology._queues, topology._exchanges)


# --- refused deletions ---------------------------------------------------------------------------


def everything(topology: Wishes) -> None:
    topology.exchange("shop", auto_delete=True)
    topology.exchange("audit")
    topology.bind_exchange("audit", "shop")
    topology.queue("orders", auto_delete=True)
    topology.bind("orders", "shop")
    topology.bind("orders", "audit", "other")
    topology.consume("c", "orders")


@pytest.mark.parametrize("forget", ["forget_queue", "forget_exchange"])
@pytest.mark.parametrize("name", ["orders", "shop", "audit"])
def test_refused_deletion_is_undone(topology: Wishes, forget: str, name: str) -> None:
    everything(topology)
    before = sorted(names(topology))

    topology.put_back(getattr(topology, forget)(name))

    assert before == sorted(names(topology))
    assert ["c"] == [record.consumer for record in topology.consumers_on("channel")]
    assert topology.consumer_record("c") in topology.plan().queues[0].consumers


def test_refused_unbinding_is_undone(topology: Wishes) -> None:
    everything(topology)
    before = sorted(names(topology))

    topology.put_back(topology.unbind("orders", "shop"))

    assert before == sorted(names(topology))


def test_consumer_that_has_ended_meanwhile_is_not_put_back(topology: Wishes) -> None:
    topology.queue("orders")
    topology.consume("c", "orders")
    record = topology.consumer_record("c")
    assert record is not None
    forgotten = topology.forget_queue("orders")
    record.has_ended = True

    topology.put_back(forgotten)

    assert topology.consumer_record("c") is None


def test_what_was_declared_anew_meanwhile_stays_as_it_is(topology: Wishes) -> None:
    topology.queue("orders")
    topology.bind("orders", "shop")
    forgotten = topology.forget_queue("orders")
    topology.queue("orders", durable=True)

    topology.put_back(forgotten)

    (record,) = topology.plan().queues
    assert QueueDeclareParameters("orders", durable=True) == topology.request_for(record)
    assert ["queue orders"] == names(topology)


# --- renaming ------------------------------------------------------------------------------------


def test_queue_is_renamed_in_its_bindings_and_consumers(topology: Wishes) -> None:
    record = topology.queue("", given="gen-1")
    topology.bind("gen-1", "shop", "news")
    topology.bind("gen-1", "direct", "gen-1")
    topology.consume("c", "gen-1")

    assert "gen-1" == topology.queue_renamed(record, "gen-2")

    assert ["shop -news> queue gen-2", "direct -gen-2> queue gen-2"] == names(topology)[1:]
    consumer = topology.consumer_record("c")
    assert consumer is not None
    assert "gen-2" == consumer.queue.name


def test_every_former_name_still_names_the_queue(topology: Wishes) -> None:
    record = topology.queue("", given="gen-1")
    topology.queue_renamed(record, "gen-2")
    topology.bind("gen-1", "shop", "one")
    topology.queue_renamed(record, "gen-3")
    topology.bind("gen-1", "shop", "two")
    topology.bind("gen-2", "shop", "three")
    topology.bind("gen-3", "shop", "four")

    assert ["gen-3"] * 3 == [topology.current_name(f"gen-{n}") for n in (1, 2, 3)]
    assert [
        "shop -one> queue gen-3",
        "shop -two> queue gen-3",
        "shop -three> queue gen-3",
        "shop -four> queue gen-3",
    ] == names(topology)[1:]


def test_binding_is_found_by_any_name_that_its_key_had(topology: Wishes) -> None:
    record = topology.queue("", given="gen-1")
    topology.bind("gen-1", "direct", "gen-1")
    topology.queue_renamed(record, "gen-2")
    topology.bind("gen-2", "direct", "gen-2")
    assert ["direct -gen-2> queue gen-2"] == names(topology)[1:]

    topology.unbind("gen-1", "direct", "gen-1")

    assert [] == names(topology)[1:]


def test_dead_letter_key_follows_the_queue(topology: Wishes) -> None:
    record = topology.queue("", given="gen-1")
    topology.queue("orders", arguments={"x-dead-letter-routing-key": "gen-1", "x-max-length": 1})
    topology.queue_renamed(record, "gen-2")

    (orders,) = topology.plan().queues

    assert {
        "x-dead-letter-routing-key": "gen-2",
        "x-max-length": 1,
    } == topology.request_for(orders).arguments


def test_queue_that_kept_its_name_is_not_renamed(topology: Wishes) -> None:
    record = topology.queue("", given="gen-1")

    assert "gen-1" == topology.queue_renamed(record, "gen-1")
    assert [] == record.former_names


def test_server_named_queue_that_is_declared_by_its_name_stays_server_named(
    topology: Wishes,
) -> None:
    topology.queue("", given="gen-1", exclusive=True)
    topology.queue("gen-1", exclusive=True)

    assert ["queue (server names it)"] == names(topology)


def test_forgotten_queue_is_not_known_by_its_former_names(topology: Wishes) -> None:
    record = topology.queue("", given="gen-1")
    topology.queue_renamed(record, "gen-2")

    topology.forget_queue("gen-1")

    assert "gen-1" == topology.current_name("gen-1")
    assert 0 == len(topology)
