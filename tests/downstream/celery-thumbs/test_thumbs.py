"""A picture is not lost with its worker's connection."""

from thumbs import made, make_thumb


def test_thumb_is_made(broker, worker):
    mark = broker.mark()
    make_thumb.delay("a.png")
    broker.acknowledged(queue_name="celery", since=mark).wait(1, timeout=60)
    assert ["a.png"] == made


def test_thumb_is_made_again_if_the_ack_is_lost(broker, worker):
    """The connection is closed in place of the first acknowledgement."""
    mark = broker.mark()
    with broker.faults.close_connections(method="basic.ack", times=1):
        make_thumb.delay("b.png")
        broker.acknowledged(queue_name="celery", since=mark).wait(1, timeout=60)
    delivered = broker.delivered(queue_name="celery", since=mark)
    assert [False, True] == [event.redelivered for event in delivered]
    assert ["b.png", "b.png"] == made


def test_thumbs_survive_a_restart(broker):
    make_thumb.delay("c.png")
    broker.wait_for_messages("celery")
    broker.restart()
    assert 1 == len(broker.messages("celery"))
