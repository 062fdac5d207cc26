"""A thousand queues that come back, but for one that is refused."""

import ammoo
from ammoo.exceptions import PreconditionFailed
from ammoo.recovery.events import Open, Recovering
from ammoo.recovery.listener import EventListener
from tests.client.brokers import Name
from tests.recovery.batches import in_batches
from tests.recovery.network import Network
from tests.recovery.until import until


async def test_a_thousand_queues_of_which_one_is_refused(
    network: Network,
    channel: ammoo.Channel,
    events: EventListener,
    name: Name,
    broker_channel: ammoo.Channel,
) -> None:
    queues = [f"{name('q')}.{number}" for number in range(1000)]
    await in_batches(channel.declare_queue(queue, durable=True) for queue in queues)
    network.go_down()
    await until(events, Recovering)
    await broker_channel.delete_queue(queues[517])
    await broker_channel.declare_queue(queues[517], durable=True, max_length=1)

    network.go_up()
    opened = await until(events, Open)

    assert 1000 == opened.restored  # 999 queues and the channel
    assert [PreconditionFailed] == [type(each.error) for each in opened.not_restored]
    await in_batches(broker_channel.delete_queue(queue) for queue in queues)
