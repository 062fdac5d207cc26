"""The price service is not run: the broker answers in its place."""

import pytest
from quotes import NoAnswer, Quotes

CATALOGUE = {"pen": 3, "ink": 7}


@pytest.fixture
def quotes(fakebroker):
    quotes = Quotes(fakebroker.url)
    yield quotes
    quotes.close()


def test_price_is_asked_for_by_sku(fakebroker, quotes):
    with fakebroker.respond("prices", json={"eur": 3}) as prices:
        assert 3 == quotes.price("pen")
    assert {"sku": "pen"} == prices.requests[0].json()


def test_prices_are_computed(fakebroker, quotes):
    with fakebroker.respond("prices", lambda request: {"eur": CATALOGUE[request.json()["sku"]]}):
        assert [3, 7] == [quotes.price("pen"), quotes.price("ink")]


def test_missing_service_is_noticed(fakebroker, quotes):
    with pytest.raises(NoAnswer, match="no price for 'pen'"):
        quotes.price("pen", timeout=0.01)


def test_late_answer_is_not_taken_for_the_next_one(fakebroker, quotes):
    fakebroker.respond("prices", [{"eur": 3}, {"eur": 7}])
    with fakebroker.faults.hold_deliveries(times=1):
        with pytest.raises(NoAnswer):
            quotes.price("pen", timeout=0.01)
        assert 7 == quotes.price("ink")


def test_stub_that_fails_fails_the_test(fakebroker, quotes):
    with (
        pytest.raises(AssertionError, match=r"prices: 1 request had no answer: .* KeyError: 'cup'"),
        fakebroker.respond("prices", lambda request: {"eur": CATALOGUE[request.json()["sku"]]}),
        pytest.raises(NoAnswer),
    ):
        quotes.price("cup", timeout=0.01)
