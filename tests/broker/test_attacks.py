"""What one client can make the broker do: work that stays in proportion, counted and not timed.

`python -m benchmarks.attacks` shows the same attacks on a real socket, with memory and with the time of
a client beside them that means no harm.
"""

from typing import Any

import pytest

from ammoo_fakebroker.messages import deaths
from ammoo_fakebroker.messages.headers import with_headers
from ammoo_wire import (
    BasicGetParameters,
    QueueBindParameters,
    QueueDeclareOkParameters,
    QueueDeclareParameters,
    decode_properties,
)

from .link import Line, make_node


@pytest.mark.parametrize("release", ["4.0", "3.10"])
def test_dying_in_many_queues_in_a_row_encodes_each_death_once_and_the_header_once(
    release: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    line = Line(make_node(release))
    line.declare_chain(*(f"q{number}" for number in range(501)))
    encoded: list[deaths.Death] = []
    put_together: list[bytes] = []
    encode = deaths._entry

    def count(death: deaths.Death) -> deaths._Entry:
        encoded.append(death)
        return encode(death)

    def count_headers(*arguments: Any) -> bytes:
        put_together.append(with_headers(*arguments))
        return put_together[-1]

    monkeypatch.setattr(deaths, "_entry", count)
    monkeypatch.setattr(deaths, "with_headers", count_headers)

    line.publish("q0", b"body")

    message = line.get("q500")
    assert message is not None
    assert message.properties is not None
    headers = decode_properties(message.properties).headers
    assert headers is not None
    assert [f"q{number}" for number in range(500)] == sorted(
        (death["queue"] for death in headers["x-death"]), key=lambda name: int(name[1:])
    )
    assert (500, 1) == (len(encoded), len(put_together))


def pattern_with_hashes(*places: int) -> str:
    """Return a topic pattern of 120 words: # at the places, * elsewhere."""
    return ".".join("#" if place in places else "*" for place in range(120))


def test_topic_patterns_and_routing_keys_that_are_in_many_places_are_matched() -> None:
    line = Line(make_node("4.0"))
    line.declare("queue")
    line.ask(
        *(
            QueueBindParameters("queue", "amq.topic", pattern_with_hashes(number, number + 50))
            for number in range(64)
        )
    )
    keys = [".".join(["a"] * 120) + f".{number}" for number in range(400)]

    line.publish(keys[0], exchange="amq.topic", headers={"CC": keys[1:]})
    line.publish("too.short", exchange="amq.topic")

    (declare_ok,) = line.ask(QueueDeclareParameters("queue", passive=True))
    assert isinstance(declare_ok, QueueDeclareOkParameters)
    assert 1 == declare_ok.message_count


def test_gets_of_large_messages_are_answered_up_to_a_bound() -> None:
    line = Line(make_node())
    line.declare("queue")
    line.fill("queue", *[bytes(1 << 20)] * 20)
    line.connection.pause_writing()
    line.send(*[BasicGetParameters("queue", no_ack=True)] * 20)

    line.connection.receive_data(line.client.data_to_send())

    assert (4 << 20) < len(line.connection.data_to_send()) < (6 << 20)
