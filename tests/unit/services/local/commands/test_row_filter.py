"""Which rows a filter lets pass."""

import pytest

from libs.runtime.settings import SettingsError
from services.local.commands.row_filter import conditions_of, matches

ROW = {
    "time": "2026-06-10 10:30:00.000",
    "type": "OrderFilled",
    "symbol": "NFO:NIFTY26JUN22000CE",
    "average_price": "101.50",
    "quantity": 75,
    "is_late": False,
    "vwap": None,
    "numbers": {"score": 0.7},
}


@pytest.mark.parametrize(
    "text",
    [
        "",
        "type=OrderFilled",
        "symbol=NIFTY26JUN22000CE",
        "symbol=NFO:NIFTY26JUN22000CE",
        "average_price>100",
        "average_price = 101.5",
        "quantity>=75,quantity<=75",
        "quantity != 50",
        "numbers.score>0.5",
        "is_late=False",
        "time>2026-06-10 10:29",
    ],
)
def test_rows_that_match_are_shown(text: str) -> None:
    assert matches(ROW, conditions_of(text))


@pytest.mark.parametrize(
    "text",
    [
        "type=OrderPlaced",
        "symbol=NIFTY",
        "symbol=BFO:NIFTY26JUN22000CE",
        "average_price>1000",  # as text, 101.50 would come after
        "quantity>75",
        "type=OrderFilled,quantity=50",
        "no_such_field=1",
        "no_such_field!=1",
        "numbers.delta>0",
        "quantity.score>0",
        "vwap!=1",
    ],
)
def test_rows_that_do_not_match_or_lack_the_field_are_not_shown(text: str) -> None:
    assert not matches(ROW, conditions_of(text))


@pytest.mark.parametrize("text", ["RELIANCE", "=3", "symbol=", "a b=1", "type==X,,quantity"])
def test_what_is_no_condition_is_named(text: str) -> None:
    with pytest.raises(SettingsError, match="is not a condition such as"):
        conditions_of(text)
