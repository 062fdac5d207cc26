"""What waits behind a message with the same key."""

from ammoo.workers.keyed_backlog import KeyedBacklog


def test_items_of_a_key_come_in_order_one_at_a_time() -> None:
    backlog: KeyedBacklog[int] = KeyedBacklog()

    begun = [backlog.begin("a", 1), backlog.begin("a", 2), backlog.begin("a", 3)]

    assert [True, False, False] == begun
    assert [2, 3, None] == [backlog.next("a") for _ in range(3)]


def test_keys_do_not_wait_for_each_other() -> None:
    backlog: KeyedBacklog[int] = KeyedBacklog()

    begun = [backlog.begin("a", 1), backlog.begin("b", 2), backlog.begin("a", 3)]

    assert [True, True, False] == begun
    assert backlog.next("b") is None


def test_key_begins_anew_when_nothing_waits_behind_it() -> None:
    backlog: KeyedBacklog[int] = KeyedBacklog()
    backlog.begin("a", 1)
    backlog.next("a")

    assert backlog.begin("a", 2)


def test_all_that_waits_is_taken_and_keys_go_on() -> None:
    backlog: KeyedBacklog[int] = KeyedBacklog()
    backlog.begin("a", 1)
    backlog.begin("a", 2)
    backlog.begin("b", 3)
    backlog.begin("b", 4)

    assert [2, 4] == backlog.take_all()
    assert [] == backlog.take_all()
    assert not backlog.begin("a", 5)
    assert [5, None] == [backlog.next("a"), backlog.next("a")]
