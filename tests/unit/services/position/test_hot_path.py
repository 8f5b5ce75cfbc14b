"""What positions look at when ticks come, and in which order they answer."""

import numpy as np
import pytest

from libs.events.codec import decode, encode
from libs.events.positions import ExitRequested
from libs.events.ticks import COLUMN_TYPES, TickBatch, TickColumns
from libs.market.calendar import load_calendar, midnight_ms
from services.position.domain.lives import life_of
from tests.unit.services.position.builders import (
    DAY,
    EXPIRY,
    NOW,
    TOKEN,
    at,
    contract,
    fill,
    hear,
    make_positions,
    position_id,
    ticks,
)

READ = {
    "instrument_token",
    "exchange_timestamp",
    "last_price",
    "last_trade_time",
    "volume_traded",
    "bid_price",
    "ask_price",
}


def arrived(tokens: list[int], price: float = 120.0, at_ms: int = NOW + 1000) -> TickBatch:
    """A batch with every column, as it comes from the bus."""
    given = {"instrument_token": tokens, "exchange_timestamp": at_ms, "last_price": price}
    columns = {
        name: np.broadcast_to(np.array(given.get(name, 1), kind), len(tokens))
        for name, kind in COLUMN_TYPES.items()
    }
    frame = ticks(None, at_ms).model_copy(update={"columns": TickColumns(**columns)})
    got = decode("ticks", encode(frame))
    assert isinstance(got, TickBatch)
    return got


def opened(columns: TickColumns) -> set[str]:
    """The columns that somebody has asked for."""
    found = set()
    for name in COLUMN_TYPES:
        try:
            TickColumns.__dict__[name].__get__(columns)
        except AttributeError:
            continue
        found.add(name)
    return found


def test_of_contracts_that_nobody_holds_only_the_tokens_are_looked_at() -> None:
    held = make_positions()
    hear(held, fill())
    batch = arrived([TOKEN + 256, TOKEN - 256])
    assert hear(held, batch) == []
    assert opened(batch.columns) == {"instrument_token"}


def test_of_a_held_contract_only_the_columns_that_make_a_price_are_looked_at() -> None:
    held = make_positions()
    hear(held, fill())
    batch = arrived([TOKEN + 256, TOKEN])
    hear(held, batch)
    assert opened(batch.columns) == READ


def test_without_a_position_nothing_is_looked_at() -> None:
    batch = arrived([TOKEN])
    assert hear(make_positions(), batch) == []
    assert opened(batch.columns) == set()


@pytest.mark.parametrize("order", [[1, 2, 3], [3, 1, 2], [2, 3, 1]])
def test_exits_come_in_the_order_of_the_openings_however_the_ticks_came(order: list[int]) -> None:
    held = make_positions()
    for number in (1, 2, 3):
        own = contract(instrument_token=TOKEN + 256 * number)
        hear(held, fill(of=number, contract=own))
    hear(held, ticks(None, NOW + 1000))  # the check of this second is done
    made = hear(held, arrived([TOKEN + 256 * number for number in order], 80.0, NOW + 1500))
    asked = [one.position_id for one in made if isinstance(one, ExitRequested)]
    assert asked == [position_id(1), position_id(2), position_id(3)]


def test_a_token_that_no_feed_can_have_is_no_obstacle_for_the_others() -> None:
    held = make_positions()
    hear(held, fill(of=1, contract=contract(instrument_token=-1)))
    hear(held, fill(of=2, contract=contract(instrument_token=2**32)), fill(of=3))
    made = hear(held, arrived([TOKEN], 80.0))
    asked = [one.position_id for one in made if isinstance(one, ExitRequested)]
    assert asked == [position_id(3)]


def test_a_contract_lives_until_its_last_session_is_over() -> None:
    assert life_of(load_calendar(), "NFO", EXPIRY) == (at(15, 30, day=EXPIRY), True)


def test_where_no_session_is_known_a_contract_lives_until_its_expiry_day_is_over() -> None:
    beyond = DAY.replace(year=2040)
    ends_ms = midnight_ms(beyond.replace(day=DAY.day + 1))
    assert life_of(load_calendar(), "NFO", beyond) == (ends_ms, False)
