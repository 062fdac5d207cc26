"""What users may configure, write and read, by the names of queues and exchanges.

RabbitMQ: https://www.rabbitmq.com/docs/access-control#authorisation
"""

from collections.abc import Callable
from typing import Any

import pytest

from ammoo_wire import (
    BasicConsumeParameters,
    BasicGetParameters,
    ChannelCloseParameters,
    ConnectionCloseParameters,
    ConnectionOpenParameters,
    ConnectionTuneOkParameters,
    ConnectionTuneParameters,
    ExchangeBindParameters,
    ExchangeDeclareParameters,
    ExchangeDeleteParameters,
    ExchangeUnbindParameters,
    QueueBindParameters,
    QueueDeclareParameters,
    QueueDeleteParameters,
    QueuePurgeParameters,
    QueueUnbindParameters,
)
from tests.support.brokers import LIMITED, STRANGER, Broker, Connect, Unique
from tests.support.channel import Channel

Make = Callable[[str], str]


Refused = Callable[..., ChannelCloseParameters]


@pytest.fixture
def refused(broker: Broker) -> Refused:
    """Make the refusal of a permission; from 4.0 on it is named."""

    def make(permission: str, kind: str, name: str, *ids: int) -> ChannelCloseParameters:
        access = broker.value_of({"3.10": "access", "4.0": f"{permission} access"})
        return ChannelCloseParameters(
            403,
            f"ACCESS_REFUSED - {access} to {kind} '{name}' in vhost '/' refused for user"
            f" '{LIMITED}'",
            *ids,
        )

    return make


@pytest.fixture
def limited(broker: Broker, connect: Connect) -> Channel:
    """A channel of a user who may do what the initials behind a name's plus allow."""
    return connect(broker.url_of(LIMITED)).channel()


@pytest.fixture
def make_queue(channel: Channel, unique: Unique) -> Make:
    """Make a queue that the limited user has these rights on."""
    return lambda rights: channel.declare_queue(unique(f"queue+{rights}"))


@pytest.fixture
def make_exchange(channel: Channel, unique: Unique) -> Make:
    """Make an exchange that the limited user has these rights on."""
    return lambda rights: channel.declare_exchange(unique(f"exchange+{rights}"))


def test_virtual_host_is_closed_to_strangers(broker: Broker, dial: Connect) -> None:
    peer = dial(broker.url_of(STRANGER))
    peer.begin()
    peer.expect(0, ConnectionTuneParameters)
    peer.send(0, ConnectionTuneOkParameters(2047, 131072, 0))

    peer.send(0, ConnectionOpenParameters("/"))

    assert (
        ConnectionCloseParameters(
            530, f"NOT_ALLOWED - access to vhost '/' refused for user '{STRANGER}'", 10, 40
        )
        == peer.expect_connection_close()
    )


# --- configure --------------------------------------------------------------------------------


def test_declaring_and_deleting_needs_configure(limited: Channel, unique: Unique) -> None:
    limited.declare_queue(unique("queue+c"))
    limited.declare_exchange(unique("exchange+c"))
    limited.delete_queue(unique("queue+c"))
    limited.delete_exchange(unique("exchange+c"))


@pytest.mark.parametrize(
    ("parameters", "kind", "ids"),
    [
        (QueueDeclareParameters(), "queue", (50, 10)),
        (QueueDeleteParameters(), "queue", (50, 40)),
        (ExchangeDeclareParameters(), "exchange", (40, 10)),
        (ExchangeDeleteParameters(), "exchange", (40, 20)),
    ],
)
def test_refusal_without_configure(
    limited: Channel,
    refused: Refused,
    unique: Unique,
    parameters: Any,
    kind: str,
    ids: tuple[int, int],
) -> None:
    """Even where nothing of the name is there."""
    name = unique("missing+wr")

    close = limited.refusal(parameters._replace(**{f"{kind}_name": name}))

    assert close == refused("configure", kind, name, *ids)


def test_server_named_queue_needs_configure_on_the_name_it_gets(limited: Channel) -> None:
    close = limited.refusal(QueueDeclareParameters("", exclusive=True))

    assert close.reply_text.startswith("ACCESS_REFUSED - ")
    assert "access to queue 'amq.gen-" in close.reply_text


@pytest.mark.rabbitmq_version("<4.3")
def test_passive_declare_needs_nothing(
    limited: Channel, make_queue: Make, make_exchange: Make
) -> None:
    assert limited.declare_queue(make_queue(""), passive=True)
    limited.call(ExchangeDeclareParameters(make_exchange(""), passive=True))


@pytest.mark.parametrize("rights", ["c", "w", "r"])
def test_passive_declare_needs_one_permission_at_most(
    limited: Channel, make_queue: Make, make_exchange: Make, rights: str
) -> None:
    assert limited.declare_queue(make_queue(rights), passive=True)
    limited.call(ExchangeDeclareParameters(make_exchange(rights), passive=True))


@pytest.mark.rabbitmq_version(">=4.3")
def test_passive_declare_of_a_queue_needs_a_permission_from_4_3_on(
    limited: Channel, refused: Refused, make_queue: Make, unique: Unique
) -> None:
    """Whether there is one of the name or not: a stranger cannot find out."""
    name, missing = make_queue(""), unique("missing+")

    close = limited.refusal(QueueDeclareParameters(name, passive=True))
    limited.reopen()
    other = limited.refusal(QueueDeclareParameters(missing, passive=True))

    assert refused("configure", "queue", name, 50, 10) == close
    assert refused("configure", "queue", missing, 50, 10) == other


@pytest.mark.rabbitmq_version(">=4.3")
def test_passive_declare_of_an_exchange_needs_a_permission_from_4_3_on(
    limited: Channel, refused: Refused, make_exchange: Make, unique: Unique
) -> None:
    name, missing = make_exchange(""), unique("missing+")

    close = limited.refusal(ExchangeDeclareParameters(name, passive=True))
    limited.reopen()
    other = limited.refusal(ExchangeDeclareParameters(missing, passive=True))

    assert refused("configure", "exchange", name, 40, 10) == close
    assert refused("configure", "exchange", missing, 40, 10) == other


def test_dead_letter_exchange_needs_read_on_the_queue(
    limited: Channel, refused: Refused, unique: Unique
) -> None:
    name = unique("queue+c")

    close = limited.refusal(
        QueueDeclareParameters(name, arguments={"x-dead-letter-exchange": unique("dlx+w")})
    )

    assert close == refused("read", "queue", name, 50, 10)


def test_dead_letter_exchange_needs_write(
    limited: Channel, refused: Refused, unique: Unique
) -> None:
    exchange = unique("dlx+cr")

    close = limited.refusal(
        QueueDeclareParameters(unique("queue+cr"), arguments={"x-dead-letter-exchange": exchange})
    )

    assert close == refused("write", "exchange", exchange, 50, 10)


def test_alternate_exchange_needs_read_on_the_exchange(
    limited: Channel, refused: Refused, unique: Unique
) -> None:
    name = unique("exchange+c")

    close = limited.refusal(
        ExchangeDeclareParameters(name, arguments={"alternate-exchange": unique("ae+w")})
    )

    assert close == refused("read", "exchange", name, 40, 10)


def test_alternate_exchange_needs_write(limited: Channel, refused: Refused, unique: Unique) -> None:
    alternate = unique("ae+cr")

    close = limited.refusal(
        ExchangeDeclareParameters(
            unique("exchange+cr"), arguments={"alternate-exchange": alternate}
        )
    )

    assert close == refused("write", "exchange", alternate, 40, 10)


# --- binding ----------------------------------------------------------------------------------


def test_binding_needs_write_on_the_queue_and_read_on_the_exchange(
    limited: Channel, make_queue: Make, make_exchange: Make
) -> None:
    queue, exchange = make_queue("w"), make_exchange("r")

    limited.bind(queue, exchange, "key")
    limited.call(QueueUnbindParameters(queue, exchange, "key"))


@pytest.mark.parametrize(
    ("parameters", "ids"),
    [(QueueBindParameters, (50, 20)), (QueueUnbindParameters, (50, 50))],
)
def test_binding_is_refused_without_write_on_the_queue(
    limited: Channel,
    refused: Refused,
    make_queue: Make,
    make_exchange: Make,
    parameters: Any,
    ids: tuple[int, int],
) -> None:
    queue = make_queue("cr")

    close = limited.refusal(parameters(queue, make_exchange("r"), "key"))

    assert close == refused("write", "queue", queue, *ids)


@pytest.mark.parametrize(
    ("parameters", "ids"),
    [(QueueBindParameters, (50, 20)), (QueueUnbindParameters, (50, 50))],
)
def test_binding_is_refused_without_read_on_the_exchange(
    limited: Channel,
    refused: Refused,
    make_queue: Make,
    make_exchange: Make,
    parameters: Any,
    ids: tuple[int, int],
) -> None:
    exchange = make_exchange("cw")

    close = limited.refusal(parameters(make_queue("w"), exchange, "key"))

    assert close == refused("read", "exchange", exchange, *ids)


@pytest.mark.parametrize(
    ("destination_rights", "source_rights", "missing"),
    [("cr", "r", "destination"), ("w", "cw", "source")],
)
@pytest.mark.parametrize(
    ("parameters", "ids"),
    [(ExchangeBindParameters, (40, 30)), (ExchangeUnbindParameters, (40, 40))],
)
def test_binding_exchanges_is_refused(
    limited: Channel,
    refused: Refused,
    make_exchange: Make,
    destination_rights: str,
    source_rights: str,
    missing: str,
    parameters: Any,
    ids: tuple[int, int],
) -> None:
    names = {
        "destination": make_exchange(destination_rights),
        "source": make_exchange(source_rights),
    }

    close = limited.refusal(parameters(names["destination"], names["source"], "key"))

    permission = {"destination": "write", "source": "read"}[missing]
    assert close == refused(permission, "exchange", names[missing], *ids)


@pytest.mark.parametrize("parameters", [QueueBindParameters, QueueUnbindParameters])
def test_write_on_the_queue_matters_before_the_default_exchange(
    limited: Channel, refused: Refused, make_queue: Make, parameters: Any
) -> None:
    """Nobody may bind to that, but who may not write to the queue hears of the queue."""
    name = make_queue("cr")

    close = limited.refusal(parameters(name, "", "key"))

    assert close == refused("write", "queue", name, close.class_id, close.method_id)


@pytest.mark.parametrize("parameters", [ExchangeBindParameters, ExchangeUnbindParameters])
def test_write_on_the_destination_matters_before_the_default_exchange(
    limited: Channel, refused: Refused, make_exchange: Make, parameters: Any
) -> None:
    name = make_exchange("cr")

    close = limited.refusal(parameters(name, "", "key"))

    assert close == refused("write", "exchange", name, close.class_id, close.method_id)


def test_default_exchange_as_destination_needs_write(
    limited: Channel, refused: Refused, make_exchange: Make
) -> None:
    close = limited.refusal(ExchangeBindParameters("", make_exchange("r"), "key"))

    assert close == refused("write", "exchange", "amq.default", 40, 30)


# --- messages ---------------------------------------------------------------------------------


def test_using_a_queue_needs_read(limited: Channel, make_queue: Make) -> None:
    name = make_queue("r")

    assert limited.get(name) is None
    limited.consume(name)
    limited.call(QueuePurgeParameters(name))


@pytest.mark.parametrize(
    ("parameters", "ids"),
    [
        (BasicGetParameters, (60, 70)),
        (BasicConsumeParameters, (60, 20)),
        (QueuePurgeParameters, (50, 30)),
    ],
)
def test_using_a_queue_is_refused_without_read(
    limited: Channel, refused: Refused, make_queue: Make, parameters: Any, ids: tuple[int, int]
) -> None:
    name = make_queue("cw")

    assert refused("read", "queue", name, *ids) == limited.refusal(parameters(name))


def test_publishing_needs_write(limited: Channel, make_exchange: Make) -> None:
    limited.publish(make_exchange("w"), "key", b"!", mandatory=True)

    assert b"!" == limited.returned().body


def test_publishing_is_refused_without_write(
    limited: Channel, refused: Refused, make_exchange: Make
) -> None:
    name = make_exchange("cr")

    limited.publish(name, "key")

    assert refused("write", "exchange", name, 60, 40) == limited.refusal()


def test_default_exchange_has_a_name_where_permissions_are_concerned(
    limited: Channel, refused: Refused, make_queue: Make
) -> None:
    limited.publish("", make_queue("cwr"))

    assert refused("write", "exchange", "amq.default", 60, 40) == limited.refusal()
