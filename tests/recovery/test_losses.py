"""Every kind of loss takes the same path; on a server that does what the test says."""

import asyncio
import socket
from collections import deque
from collections.abc import Callable
from typing import Any

import pytest

import ammoo
from ammoo import Credentials, Recovery
from ammoo.exceptions import (
    ConnectionForced,
    ConnectionLost,
    CredentialsUnavailable,
    HeartbeatTimeout,
    InternalError,
    InvalidServerFrame,
    LoginRefused,
    MethodNotImplemented,
    NotAllowed,
    PreconditionFailed,
    RecoveryFailed,
    StaleDelivery,
    UnexpectedFrame,
)
from ammoo.recovery.events import ChannelReopened, Open, Recovering, Restored
from ammoo.recovery.listener import EventListener
from ammoo_wire import (
    Accepted,
    BasicCancelParameters,
    BasicConsumeOkParameters,
    BasicConsumeParameters,
    BasicDeliverParameters,
    BasicPublishParameters,
    BasicQosOkParameters,
    BasicQosParameters,
    ChannelCloseOkParameters,
    ChannelCloseParameters,
    ChannelOpenOkParameters,
    ChannelOpenParameters,
    ConnectionBlockedParameters,
    ConnectionCloseParameters,
    ConnectionUpdateSecretOkParameters,
    ConnectionUpdateSecretParameters,
    ExchangeDeclareOkParameters,
    ExchangeDeclareParameters,
    ProtocolError,
    QueueBindOkParameters,
    QueueBindParameters,
    QueueDeclareOkParameters,
    QueueDeclareParameters,
    Refused,
    ReplyCode,
)
from tests.client.script import ScriptedPeer, ScriptedServer
from tests.recovery.until import AT_ONCE, until
from tests.support.clock import LoopClock


def forced(peer: ScriptedPeer) -> None:
    peer.send(ConnectionCloseParameters(320, "CONNECTION_FORCED - bye", 0, 0), channel_number=0)


LOSSES: dict[str, tuple[Callable[[ScriptedPeer], None], type[Exception]]] = {
    "end of stream": (lambda peer: peer.hang_up(), ConnectionLost),
    "reset": (lambda peer: peer.abort(), ConnectionLost),
    "forced": (forced, ConnectionForced),
    "no AMQP": (lambda peer: peer.write(b"\x07" * 16), InvalidServerFrame),
    "out of place": (
        lambda peer: peer.send(ExchangeDeclareOkParameters(), channel_number=0),
        UnexpectedFrame,
    ),
}


@pytest.fixture
async def scripted(server: ScriptedServer) -> ScriptedServer:
    """A server that answers declarations and bindings by itself."""
    server.answers |= {
        QueueDeclareParameters: lambda p: QueueDeclareOkParameters(p.queue_name, 0, 0),
        QueueBindParameters: lambda _: QueueBindOkParameters(),
        BasicQosParameters: lambda _: BasicQosOkParameters(),
    }
    return server


@pytest.mark.parametrize(("lose", "kind"), LOSSES.values(), ids=LOSSES)
async def test_every_loss_is_recovered_from_alike(
    scripted: ScriptedServer, lose: Callable[[ScriptedPeer], None], kind: type[Exception]
) -> None:
    async with await ammoo.connect(scripted.url, recovery=AT_ONCE) as connection:
        events = connection.events()
        async with connection.channel(prefetch_count=7) as channel:
            await channel.declare_queue("orders", durable=True)
            await channel.bind_queue("orders", "shop", "key")
            consuming = asyncio.create_task(channel.consume("orders").__aenter__())
            await scripted.peer.consumer()
            consumer = await consuming

            lose(scripted.peer)
            recovering = await until(events, Recovering)
            await scripted.accepted(2)
            tag = await consumer_on_any_channel(scripted.peer)
            opened = await until(events, Open)
            scripted.peer.send_content(
                BasicDeliverParameters(tag, 1, False, "", "orders"),
                channel_number=channel.channel_id,
            )
            message = await anext(consumer)

    assert type(recovering.cause) is kind
    assert (2, 4, ()) == (opened.epoch, opened.restored, opened.not_restored)
    assert b"body" == message.body


async def consumer_on_any_channel(peer: ScriptedPeer) -> str:
    """Answer the next basic.consume, on whichever channel it comes, and return its tag."""
    command = await peer.expect_any(BasicConsumeParameters)
    parameters: Any = command.parameters
    answer = BasicConsumeOkParameters(parameters.consumer_tag)
    peer.send(answer, channel_number=command.channel_number)
    return answer.consumer_tag


async def test_silence_of_two_heartbeats_is_a_loss(monkeypatch: pytest.MonkeyPatch) -> None:
    async with (
        ScriptedServer(heartbeat_interval=10) as server,
        await ammoo.connect(server.url, recovery=AT_ONCE) as connection,
    ):
        events = connection.events()
        clock = LoopClock(monkeypatch)
        await clock.advance(5)
        await clock.advance(5)
        await clock.advance(5)
        await clock.advance(5.1)
        recovering = await until(events, Recovering)
        await until(events, Open)

    assert isinstance(recovering.cause, HeartbeatTimeout)


async def fill_socket(channel: ammoo.Channel) -> None:
    """Publish until the socket takes no more."""
    while channel.is_publishable:
        channel.publish_nowait("", "orders", bytes(1_000_000))
        await asyncio.sleep(0)


async def test_silent_server_gets_nothing_more_of_a_connection_that_was_given_up(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """What the system has not sent could otherwise arrive behind what was published again."""
    async with (
        ScriptedServer(heartbeat_interval=10) as server,
        await ammoo.connect(server.url) as connection,
        connection.channel() as channel,
    ):
        peer = server.peer
        peer.pause_reading()
        await fill_socket(channel)
        clock = LoopClock(monkeypatch)
        await clock.advance(10)
        await clock.advance(10.1)
        await connection.wait_closed()
        peer.resume_reading()
        await peer.closed

    assert isinstance(peer.lost_by, ConnectionResetError)


class Door:
    """Lets the client in, or says why not; what comes first is said first."""

    def __init__(self, *refusals: str) -> None:
        self.refusals = deque(refusals)
        self.logins: list[bytes] = []

    def open_virtualhost(self, _: str) -> None:
        if self.refusals and not self.refusals[0].startswith("ACCESS"):
            text = self.refusals.popleft()
            raise ProtocolError(ReplyCode[text.partition(" - ")[0]], text)

    def authenticate(self, _: str, response: bytes) -> Accepted | Refused:
        self.logins.append(response)
        if self.refusals and self.refusals[0].startswith("ACCESS"):
            return Refused(self.refusals.popleft())
        return Accepted()


@pytest.fixture
def door(scripted: ScriptedServer) -> Door:
    """What the scripted server says to those who come; it lets all in by default."""
    door = Door()
    scripted.options |= {
        "open_virtualhost": door.open_virtualhost,
        "authenticate": door.authenticate,
    }
    return door


VHOST_DOWN = "INTERNAL_ERROR - access to vhost '/' refused for user 'guest': vhost '/' is down"
NO_VHOST = "NOT_ALLOWED - vhost / not found"
LIMIT = "NOT_ALLOWED - access to vhost '/' refused: connection limit (1) is reached"
NO_LOGIN = "ACCESS_REFUSED - Login was refused using authentication mechanism PLAIN"


@pytest.mark.parametrize(
    ("refusal", "kind"),
    [
        (VHOST_DOWN, InternalError),
        (NO_VHOST, NotAllowed),
        (LIMIT, NotAllowed),
        (NO_LOGIN, LoginRefused),
    ],
)
async def test_refusal_in_the_handshake_is_an_attempt_that_failed(
    scripted: ScriptedServer, door: Door, refusal: str, kind: type[Exception]
) -> None:
    async with await ammoo.connect(scripted.url, recovery=AT_ONCE) as connection:
        events = connection.events()
        door.refusals.extend([refusal] * 2)
        scripted.peer.abort()
        causes = [(await until(events, Recovering)).cause for _ in range(3)]
        opened = await until(events, Open)

    assert [type(cause) for cause in causes] == [ConnectionLost, kind, kind]
    assert 3 == opened.attempts


@pytest.mark.parametrize("refusal", [NO_LOGIN, NO_VHOST])
async def test_login_that_worked_is_tried_for_three_rounds(
    scripted: ScriptedServer, door: Door, refusal: str
) -> None:
    async with await ammoo.connect(scripted.url, recovery=AT_ONCE) as connection:
        door.refusals.extend([refusal] * 10)
        scripted.peer.abort()
        await connection.wait_closed()

    assert isinstance(connection.closing_exc, RecoveryFailed)
    assert 3 == connection.closing_exc.attempts
    assert isinstance(connection.closing_exc.exc, LoginRefused | NotAllowed)


@pytest.mark.parametrize("refusal", [VHOST_DOWN, LIMIT])
async def test_what_passes_is_tried_for_longer(
    scripted: ScriptedServer, door: Door, refusal: str
) -> None:
    async with await ammoo.connect(scripted.url, recovery=AT_ONCE) as connection:
        door.refusals.extend([refusal] * 10)
        scripted.peer.abort()
        opened = await until(connection.events(), Open)

    assert 11 == opened.attempts


@pytest.mark.parametrize("refusal", [NO_LOGIN, NO_VHOST])
async def test_refused_login_of_the_first_connect_is_final(
    scripted: ScriptedServer, door: Door, refusal: str
) -> None:
    door.refusals.append(refusal)
    recovery = Recovery(retry_first=True, random=lambda: 0.0)

    with pytest.raises((LoginRefused, NotAllowed)):
        await (await ammoo.connect(scripted.url, recovery=recovery)).__aenter__()

    assert 1 == len(scripted.peers)


async def test_publish_that_waited_for_a_blocked_connection_is_sent_on_the_next_one(
    scripted: ScriptedServer,
) -> None:
    async with (
        await ammoo.connect(scripted.url, recovery=AT_ONCE) as connection,
        connection.channel() as channel,
    ):
        scripted.peer.send(ConnectionBlockedParameters("low on memory"), channel_number=0)
        await connection.wait_blocked()
        publishing = asyncio.create_task(channel.publish("", "orders", b"body"))
        await asyncio.sleep(0)
        scripted.peer.abort()
        await publishing
        published = await scripted.peer.expect_any(BasicPublishParameters)

    assert b"body" == bytes(published.body or b"")
    assert 2 == len(scripted.peers)


async def test_fault_of_the_program_in_recovery_is_final_and_reported(
    scripted: ScriptedServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    contexts: list[dict[str, Any]] = []
    monkeypatch.setattr(asyncio.get_running_loop(), "call_exception_handler", contexts.append)

    def fail(*_: Any) -> None:
        raise KeyError("a fault")

    monkeypatch.setattr("ammoo.recovery.restoring.connection.restore_channels", fail)
    async with await ammoo.connect(scripted.url, recovery=AT_ONCE) as connection:
        scripted.peer.abort()
        await connection.wait_closed()

    assert isinstance(connection.closing_exc, RecoveryFailed)
    assert isinstance(connection.closing_exc.exc, KeyError)
    assert [KeyError] == [type(context["exception"]) for context in contexts]


async def test_third_close_for_the_same_fault_of_ours_is_final(scripted: ScriptedServer) -> None:
    refusal = ConnectionCloseParameters(540, "NOT_IMPLEMENTED - immediate=true", 60, 40)
    async with await ammoo.connect(scripted.url, recovery=AT_ONCE) as connection:
        events = connection.events()
        await close_and_wait(scripted, refusal, events)
        await close_and_wait(scripted, refusal, events)
        scripted.peer.send(refusal, channel_number=0)
        await connection.wait_closed()

    assert isinstance(connection.closing_exc, RecoveryFailed)
    assert isinstance(connection.closing_exc.exc, MethodNotImplemented)


async def close_and_wait(
    scripted: ScriptedServer, close: ConnectionCloseParameters, events: EventListener
) -> None:
    scripted.peer.send(close, channel_number=0)
    await until(events, Open)


async def test_outage_is_bridged_until_its_deadline(
    scripted: ScriptedServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    recovery = Recovery(deadline=3.0, random=lambda: 1.0)
    async with (
        await ammoo.connect(scripted.url, recovery=recovery) as connection,
        connection.channel() as channel,
    ):
        events = connection.events()
        clock = LoopClock(monkeypatch)
        scripted.is_deaf = True  # it takes the socket, and says nothing
        scripted.peer.abort()
        await until(events, Recovering)
        declaring = asyncio.create_task(channel.declare_queue("orders"))
        await clock.advance(0.2)
        await scripted.accepted(2)
        await clock.advance(2.9)

        with pytest.raises(RecoveryFailed):
            await declaring
        await connection.wait_closed()


async def test_host_that_says_nothing_is_left_for_the_next_one(
    scripted: ScriptedServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with ScriptedServer() as other:
        urls = [scripted.url, other.url]
        async with await ammoo.connect(urls, recovery=AT_ONCE) as connection:
            first, second = sorted((scripted, other), key=lambda each: not each.peers)
            second.is_deaf = True
            clock = LoopClock(monkeypatch)
            events = connection.events()
            first.peer.abort()
            await second.accepted()
            await clock.advance(10)
            opened = await until(events, Open)

    assert (f"amqp://127.0.0.1:{first.port}", 1) == (opened.address, opened.attempts)


@pytest.mark.parametrize(("refusals", "restored", "failed"), [(1, 4, 0), (3, 4, 0), (4, 3, 1)])
async def test_ends_of_a_binding_that_are_gone_are_declared_again(
    scripted: ScriptedServer, refusals: int, restored: int, failed: int
) -> None:
    scripted.answers[ExchangeDeclareParameters] = lambda _: ExchangeDeclareOkParameters()
    async with (
        await ammoo.connect(scripted.url, recovery=AT_ONCE) as connection,
        connection.channel() as channel,
    ):
        events = connection.events()
        await channel.declare_exchange("shop", "topic", auto_delete=True)
        await channel.declare_queue("orders", durable=True)
        await channel.bind_queue("orders", "shop", "key")
        gone = ChannelCloseParameters(404, "NOT_FOUND - no exchange 'shop' in vhost '/'", 50, 20)
        answers = iter([gone] * refusals)
        scripted.answers[QueueBindParameters] = lambda _: next(answers, QueueBindOkParameters())
        scripted.peer.abort()
        opened = await until(events, Open)

    assert (restored, failed) == (opened.restored, len(opened.not_restored))


@pytest.mark.parametrize("is_uvloop", [False, True], ids=["asyncio", "in turn, as with uvloop"])
async def test_name_with_a_dead_and_a_live_address_is_connected(
    scripted: ScriptedServer, is_uvloop: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    looked_up = []

    async def getaddrinfo(host: str, port: int, **options: Any) -> list[Any]:
        looked_up.append(host)
        kind = (socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP, "")
        return [(*kind, (address, port)) for address in ("127.0.0.9", "127.0.0.1", "127.0.0.9")]

    monkeypatch.setattr(asyncio.get_running_loop(), "getaddrinfo", getaddrinfo)
    monkeypatch.setattr("ammoo.live.sockets.HAPPY_EYEBALLS_DELAY", 0.0)
    monkeypatch.setattr("ammoo.live.sockets.has_happy_eyeballs", lambda _: not is_uvloop)
    url = f"amqp://several.addresses:{scripted.port}"
    async with await ammoo.connect(url, recovery=AT_ONCE) as connection:
        await connection.ready()

    assert {"several.addresses"} == set(looked_up)
    assert 1 == len(scripted.peers)


async def test_closing_in_the_middle_of_restoring_leaves_nothing(scripted: ScriptedServer) -> None:
    async with (
        await ammoo.connect(scripted.url, recovery=AT_ONCE) as connection,
        connection.channel() as channel,
    ):
        await channel.declare_queue("orders", durable=True)
        del scripted.answers[QueueDeclareParameters]
        scripted.peer.abort()
        await scripted.accepted(2)
        await scripted.peer.expect(QueueDeclareParameters)
        await connection.close()

    assert isinstance(connection.closing_exc, ammoo.exceptions.ClientClosedConnectionOK)
    await scripted.peer.closed


async def test_closing_as_the_last_answer_comes_leaves_nothing_open(
    scripted: ScriptedServer,
) -> None:
    async with (
        await ammoo.connect(scripted.url, recovery=AT_ONCE) as connection,
        connection.channel(),
    ):
        del scripted.answers[ChannelOpenParameters]
        scripted.peer.abort()
        await scripted.accepted(2)
        await scripted.peer.expect(ChannelOpenParameters)
        scripted.peer.send(ChannelOpenOkParameters())
        await connection.close()

    assert 1 == connection.epoch
    await scripted.peer.closed


def consume_ok(request: Any) -> BasicConsumeOkParameters:
    return BasicConsumeOkParameters(request.consumer_tag)


def in_one_write(peer: ScriptedPeer, *commands: tuple[int, Any]) -> None:
    """Send methods, each with the number of its channel, so that the client reads them at once."""
    for channel_number, parameters in commands:
        peer.protocol.send(channel_number, parameters)
    peer.flush()


async def test_consumer_that_has_started_as_the_connection_is_lost_is_restored(
    scripted: ScriptedServer,
) -> None:
    async with await ammoo.connect(scripted.url, recovery=AT_ONCE) as connection:
        events = connection.events()
        async with connection.channel() as channel:
            entering = asyncio.create_task(channel.consume("orders").__aenter__())
            request = await scripted.peer.expect(BasicConsumeParameters)
            forced = ConnectionCloseParameters(320, "CONNECTION_FORCED - bye", 0, 0)
            scripted.answers[BasicConsumeParameters] = consume_ok
            in_one_write(
                scripted.peer, (1, BasicConsumeOkParameters(request.consumer_tag)), (0, forced)
            )
            consumer = await entering
            opened = await until(events, Open)
            scripted.peer.deliver(consumer.consumer_tag, 1)
            message = await anext(consumer)

    assert (2, 2) == (opened.epoch, opened.restored)
    assert request.consumer_tag == message.consumer_tag


async def test_channel_that_is_opened_as_the_connection_is_lost_is_not_entered(
    scripted: ScriptedServer,
) -> None:
    async with await ammoo.connect(scripted.url, recovery=AT_ONCE) as connection:
        events = connection.events()
        del scripted.peer.answers[ChannelOpenParameters]
        entering = asyncio.create_task(connection.channel().__aenter__())
        await scripted.peer.expect(ChannelOpenParameters)
        forced = ConnectionCloseParameters(320, "CONNECTION_FORCED - bye", 0, 0)
        in_one_write(scripted.peer, (1, ChannelOpenOkParameters()), (0, forced))
        with pytest.raises(ConnectionForced) as caught:
            await entering
        await caught.value.recovered()
        opened = await until(events, Open)
        async with connection.channel() as channel:
            await channel.declare_queue("orders")

    assert (2, 0) == (opened.epoch, opened.restored)


async def restoring_consumers(scripted: ScriptedServer) -> tuple[ScriptedPeer, Any, Any]:
    """Cut the connection, and wait until both consumers are being restored.

    Returns:
        The new connection, and the unanswered requests for the first and the second consumer.
    """
    del scripted.answers[BasicConsumeParameters]
    scripted.peer.abort()
    await scripted.accepted(2)
    requests = [await scripted.peer.expect_any(BasicConsumeParameters) for _ in range(2)]
    orders, others = sorted(requests, key=lambda each: each.channel_number)
    return scripted.peer, orders, others


async def lose_a_channel_while_another_one_is_restored(scripted: ScriptedServer) -> None:
    """Cut the connection; close the channel of "orders" before the one of "others" is restored."""
    peer, orders, others = await restoring_consumers(scripted)
    peer.answers[BasicConsumeParameters] = consume_ok
    in_one_write(
        peer,
        (orders.channel_number, consume_ok(orders.parameters)),
        (orders.channel_number, ChannelCloseParameters(406, "PRECONDITION_FAILED - no", 0, 0)),
    )
    await peer.expect_any(ChannelCloseOkParameters)
    in_one_write(peer, (others.channel_number, consume_ok(others.parameters)))


async def test_consumer_that_is_cancelled_while_another_one_is_restored_is_started_again(
    scripted: ScriptedServer,
) -> None:
    scripted.answers[BasicConsumeParameters] = consume_ok
    async with await ammoo.connect(scripted.url, recovery=AT_ONCE) as connection:
        events = connection.events()
        async with (
            connection.channel() as channel,
            channel.consume("orders") as consumer,
            connection.channel() as other,
            other.consume("others"),
        ):
            reading = asyncio.create_task(anext(consumer))
            peer, orders, others = await restoring_consumers(scripted)
            cancel = BasicCancelParameters(orders.parameters.consumer_tag, True)
            in_one_write(
                peer,
                (orders.channel_number, consume_ok(orders.parameters)),
                (orders.channel_number, cancel),
                (others.channel_number, consume_ok(others.parameters)),
            )
            await until(events, Open)
            tag = await consumer_on_any_channel(peer)
            peer.send_content(
                BasicDeliverParameters(tag, 1, False, "", "orders"),
                channel_number=orders.channel_number,
            )
            message = await reading

    assert orders.parameters.consumer_tag != tag
    assert tag == message.consumer_tag


async def test_channel_that_is_closed_while_another_one_is_restored_ends(
    scripted: ScriptedServer,
) -> None:
    scripted.answers[BasicConsumeParameters] = consume_ok
    async with await ammoo.connect(scripted.url, recovery=AT_ONCE) as connection:
        events = connection.events()
        async with (
            connection.channel() as channel,
            channel.consume("orders") as consumer,
            connection.channel() as other,
            other.consume("others"),
        ):
            reading = asyncio.create_task(anext(consumer))
            await lose_a_channel_while_another_one_is_restored(scripted)
            await until(events, Open)
            with pytest.raises(PreconditionFailed):
                await reading
            await channel.wait_closed()
            await other.declare_queue("orders")


async def test_channel_that_is_closed_while_another_one_is_restored_is_opened_again(
    scripted: ScriptedServer,
) -> None:
    scripted.answers[BasicConsumeParameters] = consume_ok
    async with await ammoo.connect(scripted.url, recovery=AT_ONCE) as connection:
        events = connection.events()
        async with (
            connection.channel(reopen=True) as channel,
            channel.consume("orders") as consumer,
            connection.channel() as other,
            other.consume("others"),
        ):
            reading = asyncio.create_task(anext(consumer))
            await lose_a_channel_while_another_one_is_restored(scripted)
            reopened = await until(events, ChannelReopened)
            request = BasicDeliverParameters(consumer.consumer_tag, 1, False, "", "orders")
            scripted.peer.send_content(request, channel_number=channel.channel_id)
            message = await reading

    assert isinstance(reopened.cause, PreconditionFailed)
    assert b"body" == message.body


async def test_channel_that_is_closed_again_as_it_is_opened_again_is_opened_once_more(
    scripted: ScriptedServer,
) -> None:
    scripted.answers[BasicConsumeParameters] = consume_ok
    refused = ChannelCloseParameters(406, "PRECONDITION_FAILED - no", 0, 0)
    async with await ammoo.connect(scripted.url, recovery=AT_ONCE) as connection:
        events = connection.events()
        async with connection.channel(reopen=True) as channel, channel.consume("orders"):
            peer = scripted.peer
            del peer.answers[BasicConsumeParameters]
            in_one_write(peer, (channel.channel_id, refused))
            again = await peer.expect_any(BasicConsumeParameters)
            in_one_write(
                peer,
                (again.channel_number, consume_ok(again.parameters)),
                (again.channel_number, refused),
            )
            publishing = asyncio.gather(*(channel.publish("", "orders", b"1") for _ in range(3)))
            once_more = await peer.expect_any(BasicConsumeParameters)
            in_one_write(peer, (once_more.channel_number, consume_ok(once_more.parameters)))
            await publishing
            reopened = await until(events, ChannelReopened)

            assert once_more.channel_number == channel.channel_id

    assert isinstance(reopened.cause, PreconditionFailed)


async def test_consume_that_is_not_answered_is_sent_once_more_and_has_all_the_time(
    scripted: ScriptedServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The server has no leader for the queue yet, and does not answer, for a minute perhaps."""
    monkeypatch.setattr("ammoo.recovery.restoring.channels.CONSUMER_STUCK_AFTER", 0.0)
    monkeypatch.setattr("ammoo.recovery.restoring.stragglers.FIRST_DELAY", 0.0)
    async with await ammoo.connect(scripted.url, recovery=AT_ONCE) as connection:
        events = connection.events()
        scripted.peer.answers[BasicConsumeParameters] = consume_ok
        async with connection.channel() as channel, channel.consume("orders") as consumer:
            scripted.peer.abort()
            opened = await until(events, Open)
            await scripted.peer.expect_any(BasicConsumeParameters)  # given up, with its channel
            late = await scripted.peer.expect_any(BasicConsumeParameters)
            parameters: Any = late.parameters
            tag = parameters.consumer_tag
            scripted.peer.send(BasicConsumeOkParameters(tag), channel_number=late.channel_number)
            restored = await until(events, Restored)
            scripted.peer.send_content(
                BasicDeliverParameters(tag, 1, False, "", "orders"),
                channel_number=late.channel_number,
            )
            message = await anext(consumer)

    assert [True] == [each.is_retried for each in opened.not_restored]
    assert opened.not_restored[0].entity is restored.entity
    assert tag == message.consumer_tag


async def test_consumer_whose_queue_is_down_waits_for_longer_than_the_grace(
    scripted: ScriptedServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ammoo.recovery.restoring.reviving.FIRST_DELAY", 0.0)
    down = ChannelCloseParameters(
        404,
        "NOT_FOUND - home node 'a' of durable queue 'q' in vhost '/' is down or inaccessible",
        50,
        10,
    )
    recovery = Recovery(consumer_grace=0.0, random=lambda: 0.0)
    async with (
        await ammoo.connect(scripted.url, recovery=recovery) as connection,
        connection.channel() as channel,
    ):
        peer = scripted.peer
        peer.answers[BasicConsumeParameters] = consume_ok
        consumer = await channel.consume("q").__aenter__()
        del peer.answers[BasicConsumeParameters], peer.answers[QueueDeclareParameters]
        peer.send(BasicCancelParameters(consumer.consumer_tag, True))
        probe = await peer.expect_any(QueueDeclareParameters)
        peer.send(down, channel_number=probe.channel_number)
        probe = await peer.expect_any(QueueDeclareParameters)
        peer.send(QueueDeclareOkParameters("q", 0, 1), channel_number=probe.channel_number)
        tag = await consumer_on_any_channel(peer)
        peer.deliver(tag, 1)
        message = await anext(consumer)

    assert tag == message.consumer_tag


async def test_channel_whose_acknowledgement_was_overdue_is_opened_again(
    scripted: ScriptedServer,
) -> None:
    overdue = ChannelCloseParameters(
        406, "PRECONDITION_FAILED - delivery acknowledgement on channel 1 timed out", 0, 0
    )
    scripted.answers[BasicConsumeParameters] = consume_ok
    async with await ammoo.connect(scripted.url, recovery=AT_ONCE) as connection:
        events = connection.events()
        async with (
            connection.channel(reopen=True) as channel,
            channel.consume("orders") as consumer,
        ):
            scripted.peer.deliver(consumer.consumer_tag, 1)
            held = await anext(consumer)
            scripted.peer.send(overdue)
            reopened = await until(events, ChannelReopened)
            with pytest.raises(StaleDelivery):
                await held.ack()
            scripted.peer.send_content(
                BasicDeliverParameters(consumer.consumer_tag, 1, True, "", "orders"),
                channel_number=channel.channel_id,
            )
            again = await anext(consumer)

    assert isinstance(reopened.cause, PreconditionFailed)
    assert again.redelivered


async def test_server_that_answers_nothing_is_busy_and_no_entity_is_to_blame(
    scripted: ScriptedServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ammoo.recovery.restoring.channels.CONSUMER_STUCK_AFTER", 0.0)
    async with await ammoo.connect(scripted.url, recovery=AT_ONCE) as connection:
        events = connection.events()
        async with connection.channel() as channel:
            await channel.declare_queue("orders")
            del scripted.answers[QueueDeclareParameters]
            opens = scripted.answers.pop(ChannelOpenParameters)
            scripted.peer.abort()
            await scripted.accepted(2)
            peer = scripted.peer
            await peer.expect(ChannelOpenParameters)
            peer.send(ChannelOpenOkParameters())
            await peer.expect(QueueDeclareParameters)
            probe = await peer.expect_any(ChannelOpenParameters)
            peer.send(QueueDeclareOkParameters("orders", 0, 0))
            peer.answers[ChannelOpenParameters] = opens
            peer.send(ChannelOpenOkParameters(), channel_number=probe.channel_number)
            opened = await until(events, Open)

    assert () == opened.not_restored


async def test_suspect_is_declared_behind_everything_else(
    scripted: ScriptedServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ammoo.recovery.restoring.stragglers.FIRST_DELAY", 0.0)
    refusal = ConnectionCloseParameters(503, "COMMAND_INVALID - unknown exchange type", 40, 10)
    async with await ammoo.connect(scripted.url, recovery=AT_ONCE) as connection:
        events = connection.events()
        scripted.answers[ExchangeDeclareParameters] = lambda _: ExchangeDeclareOkParameters()
        scripted.peer.answers[ExchangeDeclareParameters] = lambda _: ExchangeDeclareOkParameters()
        async with connection.channel() as channel:
            await channel.declare_exchange("good", "topic")
            await channel.declare_exchange("bad", "x-nobody-knows")
            await channel.declare_queue("orders")
            del scripted.answers[ExchangeDeclareParameters]
            scripted.peer.abort()
            declared = [
                await answer_until_bad(scripted, 2, refusal),
                await answer_until_bad(scripted, 3, refusal),
                await answer_until_bad(scripted, 4, None),
            ]
            opened = await until(events, Open)

    assert [["good"], ["good"], ["good"]] == declared
    (missing,) = opened.not_restored
    assert "<exchange 'bad'>" == repr(missing.entity)
    assert 3 == opened.restored


async def answer_until_bad(
    scripted: ScriptedServer, connections: int, refusal: ConnectionCloseParameters | None
) -> list[str]:
    """Answer declarations of exchanges on the newest connection until the bad one comes."""
    await scripted.accepted(connections)
    peer, declared = scripted.peer, list[str]()
    while not (refusal is None and declared):
        command = await peer.expect_any(ExchangeDeclareParameters)
        parameters: Any = command.parameters
        if parameters.exchange_name == "bad":
            assert refusal is not None
            peer.send(refusal, channel_number=0)
            break
        declared.append(parameters.exchange_name)
        peer.send(ExchangeDeclareOkParameters(), channel_number=command.channel_number)
    return declared


# --- credentials ---------------------------------------------------------------------------------


class Provider:
    """Gives another password each time, or fails."""

    def __init__(self, expires_in: float | None = None) -> None:
        self.asked = 0
        self.failures: list[Exception] = []
        self.mistakes: list[Any] = []
        self.expires_in = expires_in

    async def __call__(self) -> Credentials:
        self.asked += 1
        if self.failures:
            raise self.failures.pop()
        if self.mistakes:
            return self.mistakes.pop()  # type: ignore[no-any-return]  # the mistake is the point
        return Credentials("user", f"token-{self.asked}", self.expires_in)


async def test_credentials_are_asked_for_at_each_attempt(
    scripted: ScriptedServer, door: Door
) -> None:
    provider = Provider()
    async with await ammoo.connect(
        scripted.url, recovery=AT_ONCE, credentials=provider
    ) as connection:
        events = connection.events()
        door.refusals.append(NO_LOGIN)
        provider.failures.append(OSError("the identity server is down"))
        scripted.peer.abort()
        causes = [(await until(events, Recovering)).cause for _ in range(3)]
        await until(events, Open)

    assert [type(cause) for cause in causes] == [
        ConnectionLost,
        CredentialsUnavailable,
        LoginRefused,
    ]
    passwords = [login.rpartition(b"token-")[2] for login in door.logins]
    assert [b"1", b"3", b"4"] == [password[:1] for password in passwords]


async def test_failing_provider_is_the_first_connects_failure(scripted: ScriptedServer) -> None:
    provider = Provider()
    provider.failures.append(KeyError("token"))

    with pytest.raises(CredentialsUnavailable, match=r"returns them failed: KeyError\('token'\)"):
        await ammoo.connect(scripted.url, credentials=provider)

    assert [] == scripted.peers


@pytest.mark.parametrize("recovery", [None, Recovery(retry_first=True)], ids=["once", "again"])
async def test_provider_that_returns_a_password_alone_is_asked_once(
    scripted: ScriptedServer, recovery: Recovery | None
) -> None:
    calls = []

    async def provider() -> Any:
        calls.append("asked")
        return "hunter2"

    with pytest.raises(TypeError, match="of type str; expected Credentials") as caught:
        await ammoo.connect(scripted.url, credentials=provider, recovery=recovery)

    assert ["asked"] == calls
    assert "hunter2" not in str(caught.value)
    assert [] == scripted.peers


@pytest.mark.parametrize("recovery", [None, AT_ONCE], ids=["without recovery", "with"])
async def test_credentials_are_renewed_before_they_expire(
    scripted: ScriptedServer, recovery: Recovery | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    provider = Provider(expires_in=100.0)
    clock = LoopClock(monkeypatch)
    async with await ammoo.connect(scripted.url, recovery=recovery, credentials=provider):
        await clock.advance(71.9)
        asked_before = provider.asked
        await clock.advance(8.2)
        update = await scripted.peer.expect(ConnectionUpdateSecretParameters, 0)
        scripted.peer.send(ConnectionUpdateSecretOkParameters(), channel_number=0)

    assert (1, 2) == (asked_before, provider.asked)
    assert b"token-2" == update.new_secret


async def test_renewal_that_fails_is_tried_again(
    scripted: ScriptedServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    provider = Provider(expires_in=100.0)
    clock = LoopClock(monkeypatch)
    async with await ammoo.connect(scripted.url, recovery=AT_ONCE, credentials=provider):
        provider.failures.append(OSError())
        await clock.advance(80.1)
        await clock.advance(2.0)
        update = await scripted.peer.expect(ConnectionUpdateSecretParameters, 0)
        scripted.peer.send(ConnectionUpdateSecretOkParameters(), channel_number=0)

    assert b"token-3" == update.new_secret


async def test_renewal_with_no_credentials_is_reported_and_tried_again(
    scripted: ScriptedServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    provider = Provider(expires_in=100.0)
    clock = LoopClock(monkeypatch)
    contexts: list[Any] = []
    monkeypatch.setattr(asyncio.get_running_loop(), "call_exception_handler", contexts.append)
    async with await ammoo.connect(scripted.url, recovery=AT_ONCE, credentials=provider):
        provider.mistakes.append(None)
        await clock.advance(80.1)
        await clock.advance(2.0)
        update = await scripted.peer.expect(ConnectionUpdateSecretParameters, 0)
        scripted.peer.send(ConnectionUpdateSecretOkParameters(), channel_number=0)

    assert b"token-3" == update.new_secret
    assert ["credentials returned an object of type NoneType; expected Credentials"] == [
        str(context["exception"]) for context in contexts
    ]


async def test_credentials_stand_in_place_of_login_and_password(scripted: ScriptedServer) -> None:
    with pytest.raises(ValueError, match="replaces auth, login and password"):
        await ammoo.connect(scripted.url, credentials=Provider(), login="guest")


async def test_new_secret_is_used_by_later_connections(
    scripted: ScriptedServer, door: Door
) -> None:
    async with await ammoo.connect(scripted.url, recovery=AT_ONCE) as connection:
        events = connection.events()
        updating = asyncio.create_task(connection.update_secret("new"))
        await scripted.peer.expect(ConnectionUpdateSecretParameters, 0)
        scripted.peer.send(ConnectionUpdateSecretOkParameters(), channel_number=0)
        await updating
        scripted.peer.abort()
        await until(events, Open)

    assert [False, True] == [b"new" in login for login in door.logins]


def test_credentials_do_not_show_the_password() -> None:
    assert "token" not in repr(Credentials("user", "token", 3.0))
