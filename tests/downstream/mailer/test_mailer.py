import threading
from collections.abc import Iterator

import mailer
import pytest

from ammoo_fakebroker import FakeBroker, ManualClock

pytestmark = pytest.mark.fakebroker(clock=ManualClock)

sent: list[tuple[str, str]] = []


@pytest.fixture
def worker(fakebroker: FakeBroker) -> Iterator[None]:
    sent.clear()
    thread = threading.Thread(target=mailer.work, args=(fakebroker.url, send))
    thread.start()
    fakebroker.wait_for_consumers("mail")
    yield
    fakebroker.close_connections()
    thread.join()


def send(to: str, text: str) -> None:
    sent.append((to, text))


@pytest.mark.usefixtures("worker")
def test_mail_is_sent(fakebroker: FakeBroker) -> None:
    fakebroker.publish("", "mail", json={"to": "ann@example.com", "text": "hello"})

    fakebroker.acknowledged(queue_name="mail").wait()
    assert [("ann@example.com", "hello")] == sent


@pytest.mark.usefixtures("worker")
def test_poison_message_is_parked_after_three_tries(fakebroker: FakeBroker) -> None:
    fakebroker.publish("", "mail", b"poison")

    fakebroker.rejected(queue_name="mail").wait(1)
    fakebroker.advance(30)
    fakebroker.rejected(queue_name="mail").wait(2)
    fakebroker.advance(30)

    (parked,) = fakebroker.wait_for_messages("mail.parked")
    assert b"poison" == parked.body
    fakebroker.acknowledged(queue_name="mail").wait()
    life = fakebroker.life_of(fakebroker.published(routing_key="mail")[0])
    print(life)
    assert 3 == life.kinds.count("delivered")
    assert "acknowledged" == life.kinds[-1]
