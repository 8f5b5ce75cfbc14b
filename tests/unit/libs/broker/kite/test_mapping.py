import json
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import pytest

from libs.broker.errors import ReplyUnreadable
from libs.broker.kite.book import OrderBook
from libs.broker.kite.mapping import (
    epoch_ms,
    fill_of,
    order_fields,
    reason_of,
    status_of,
    updated_ms,
)
from libs.broker.port import Fill
from libs.events.event import ms_from_utc
from tests.unit.libs.broker.kite.rows import order, request, trade

AT_MS = ms_from_utc(datetime(2021, 5, 31, 3, 48, 57, tzinfo=UTC))


def test_a_limit_order_carries_its_exact_price() -> None:
    fields = order_fields(request(price=Decimal("1E+2")))
    assert fields["price"] == "100"
    assert "market_protection" not in fields
    assert (fields["variety"], fields["validity"], fields["tag"]) == ("regular", "DAY", "tag1")


def test_a_market_order_carries_protection_and_no_price() -> None:
    fields = order_fields(request(order_type="MARKET", price=Decimal(0)))
    assert fields["market_protection"] == -1
    assert "price" not in fields


@pytest.mark.parametrize(
    "shown",
    [
        "2021-05-31 09:18:57",
        datetime(2021, 5, 31, 9, 18, 57),  # noqa: DTZ001  # as the official client gives it
        datetime(2021, 5, 31, 3, 48, 57, tzinfo=UTC),
        "2021-05-31T09:18:57+05:30",
    ],
)
def test_a_wall_clock_in_india_is_a_moment(shown: object) -> None:
    assert epoch_ms(shown) == AT_MS


@pytest.mark.parametrize("shown", [None, "", "09:18:57", 5, "soon"])
def test_what_shows_no_moment_is_none(shown: object) -> None:
    assert epoch_ms(shown) is None


@pytest.mark.parametrize(
    ("shown", "status"),
    [
        ("COMPLETE", "COMPLETE"),
        ("REJECTED", "REJECTED"),
        ("CANCELLED", "CANCELLED"),
        ("CANCELLED AMO", "CANCELLED"),
        ("OPEN", "OPEN"),
        ("PUT ORDER REQ RECEIVED", "OPEN"),
        ("VALIDATION PENDING", "OPEN"),
        ("CANCEL PENDING", "OPEN"),
        ("MODIFIED", "OPEN"),
        ("UPDATE", "OPEN"),
    ],
)
def test_what_is_not_final_is_open(shown: str, status: str) -> None:
    assert status_of(order(status=shown)) == status


def test_the_latest_time_of_an_order_counts() -> None:
    later = order(exchange_update_timestamp="2021-05-31 09:19:00")
    assert updated_ms(order(), 0) == AT_MS
    assert updated_ms(later, 0) == AT_MS + 3_000
    assert updated_ms({}, 7) == 7


def test_a_reason_is_in_the_brokers_words() -> None:
    assert reason_of(order()) == ""
    assert reason_of(order(status_message="no funds")) == "no funds"
    assert reason_of(order(status_message_raw="RMS: no funds")) == "RMS: no funds"


def test_a_fill_is_a_trade_with_exact_money_and_its_own_time() -> None:
    filled_ms = AT_MS + 1_000
    assert fill_of(trade(price=109.4)) == Fill("11", 75, Decimal("109.4"), filled_ms)
    shown = {"fill_timestamp": None, "exchange_timestamp": "2021-05-31 09:18:58"}
    assert fill_of({**trade(), **shown}).at_ms == filled_ms
    assert fill_of({**trade(), "fill_timestamp": ""}).at_ms == 0


@pytest.mark.parametrize("broken", [{}, {"trade_id": "1", "quantity": "x", "average_price": 1}])
def test_a_trade_that_cannot_be_read_says_so(broken: dict[str, object]) -> None:
    with pytest.raises(ReplyUnreadable):
        fill_of(broken)


def test_the_official_replies_are_read(kite_mocks: Path) -> None:
    book = OrderBook()
    for row in json.loads((kite_mocks / "orders.json").read_text())["data"]:
        book.take_order(row, 0)
    book.take_trades(json.loads((kite_mocks / "trades.json").read_text())["data"])
    book.take_order(json.loads((kite_mocks / "postback.json").read_text()), 0)
    statuses = {update.status for update in book.updates()}
    assert statuses >= {"COMPLETE", "CANCELLED", "REJECTED"}
    assert all(update.at_ms > AT_MS - 86_400_000 for update in book.updates())
