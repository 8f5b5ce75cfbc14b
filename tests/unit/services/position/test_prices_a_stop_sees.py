"""The price that a stop sees, as docs/prices-a-stop-sees.md defines it."""

from collections.abc import Sequence

import pytest

from libs.events.event import Event
from libs.events.positions import ExitRequested, PositionUpdated
from services.position.domain.exit_rules.settings import ExitSettings
from services.position.domain.open_positions import OpenPositions
from tests.unit.services.position.builders import (
    NOW,
    TOKEN,
    contract,
    fill,
    hear,
    make_positions,
    restarted,
    ticks,
    updates,
)

BID, ASK = 119.5, 120.5


def opened(mark_every_ms: int = 3_600_000) -> OpenPositions:
    """Bought at 120, with the stop at 84 and the target at 192."""
    held = make_positions(ExitSettings(), mark_every_ms)
    hear(held, fill())
    return held


def asked(events: Sequence[Event]) -> list[str]:
    return [event.reason for event in events if isinstance(event, ExitRequested)]


def update(price: float, second: float, **columns: float) -> dict[str, float]:
    return {"price": price, "at_ms": NOW + int(second * 1000), **columns}


def quoted(
    price: float, second: float, bid: float, ask: float, **columns: float
) -> dict[str, float]:
    return update(price, second, bid_price=bid, ask_price=ask, **columns)


def traded(price: float, second: float, ago: float, **columns: float) -> dict[str, float]:
    """An update whose last trade was so many seconds before it."""
    return update(price, second, last_trade_time=NOW + int((second - ago) * 1000), **columns)


@pytest.mark.parametrize(("price", "reason"), [(83.0, "stop_loss"), (195.0, "target")])
def test_a_stop_sees_each_update_of_a_frame_and_asks_once(price: float, reason: str) -> None:
    frame = updates(update(119.0, 1), update(price, 1), update(price, 1.5), update(121.0, 2))
    assert asked(hear(opened(), frame)) == [reason]


def test_the_extremes_are_those_of_every_update_of_a_frame() -> None:
    held = opened(mark_every_ms=1000)
    frame = updates(update(150.0, 1), update(90.0, 1), update(120.0, 2))
    (mark,) = [one for one in hear(held, frame) if isinstance(one, PositionUpdated)]
    extremes = [float(mark.highest_price), float(mark.lowest_price)]
    assert [*extremes, float(mark.last_price)] == [150, 90, 120]


def test_a_trade_of_before_the_fill_exits_nothing_and_the_bid_is_seen_instead() -> None:
    stale = {"ltp": 80.0, "ago": 3002.0}  # a trade of 09:40, seen at 10:30:02
    tick = traded(80.0, 2, stale["ago"], bid_price=BID, ask_price=ASK, volume_traded=7500)
    held = opened(mark_every_ms=1000)
    events = hear(held, updates(tick))
    assert asked(events) == []
    (mark,) = [one for one in events if isinstance(one, PositionUpdated)]
    assert float(mark.last_price) == 120, "the middle of bid and ask"
    assert float(mark.lowest_price) == BID


def test_a_volume_that_has_not_risen_is_no_trade() -> None:
    """The same without the time of the last trade: before the fill the volume was 7500, too."""
    held = opened()
    hear(held, updates(quoted(120.0, 1, BID, ASK, volume_traded=7500)))
    frames = [updates(quoted(80.0, 2 + n, BID, ASK, volume_traded=7500)) for n in range(20)]
    assert asked(hear(held, *frames)) == []


def test_an_old_last_trade_gives_way_to_the_bid() -> None:
    held = opened()
    hear(held, updates(traded(118.0, 1, 0, bid_price=117.0, ask_price=119.0)))
    fell = [traded(118.0, second, second - 1, bid_price=30.0, ask_price=32.0) for second in (2, 13)]
    assert asked(hear(held, updates(fell[1]))) == ["stop_loss"]


def test_a_bid_below_the_stop_counts_as_soon_as_it_contradicts_the_last_trade() -> None:
    held = opened()
    hear(held, updates(traded(118.0, 1, 0, bid_price=117.0, ask_price=119.0)))
    tick = traded(118.0, 2, 1, bid_price=30.0, ask_price=32.0)
    assert asked(hear(held, updates(tick))) == ["stop_loss"], "nobody sells at 118 any more"


def test_one_wild_trade_without_quotes_is_a_phantom() -> None:
    held = opened(mark_every_ms=1000)
    events = hear(
        held, updates(update(121.0, 1)), updates(update(24_150.0, 2)), updates(update(121.5, 3))
    )
    assert asked(events) == []
    assert max(one.highest_price for one in events if isinstance(one, PositionUpdated)) == 121.5


def test_a_wild_trade_is_taken_when_the_next_update_confirms_it() -> None:
    frames = [updates(update(121.0, 1)), updates(update(700.0, 2))]
    held = opened()
    assert asked(hear(held, *frames)) == []
    assert asked(hear(held, updates(update(710.0, 3)))) == ["target"]


def test_a_fall_to_a_fifth_waits_for_the_next_update_unless_the_quotes_have_fallen_too() -> None:
    held = opened()
    assert asked(hear(held, updates(update(2.0, 1)))) == []
    assert asked(hear(held, updates(update(3.0, 2)))) == ["stop_loss"]
    assert asked(hear(opened(), updates(quoted(2.0, 1, 1.95, 2.05)))) == ["stop_loss"]


def test_a_trade_far_from_the_quotes_is_no_price_until_another_trade_confirms_it() -> None:
    held = opened()
    first = quoted(24_150.0, 1, BID, ASK, volume_traded=100)
    again = quoted(24_150.0, 2, BID, ASK, volume_traded=100)
    assert asked(hear(held, updates(first), updates(again))) == [], "one trade, told twice"
    other = quoted(24_140.0, 3, BID, ASK, volume_traded=175)
    assert asked(hear(held, updates(other))) == ["target"]


@pytest.mark.parametrize("price", [24_150.0, 60.0])
def test_a_contradicted_trade_that_the_next_quotes_follow_is_a_price(price: float) -> None:
    held = opened()
    assert asked(hear(held, updates(quoted(price, 1, BID, ASK)))) == []
    followed = quoted(price, 2, price - 0.5, price + 0.5)
    assert asked(hear(held, updates(followed))) != []


def test_a_wrong_price_between_sound_ones_of_one_frame_is_a_phantom_too() -> None:
    rows = [quoted(price, 1, BID, ASK) for price in (120.0, 24_150.0, 120.0, 0.05, 120.0)]
    assert asked(hear(opened(), updates(*rows))) == []


def test_without_a_bid_an_ask_below_the_last_price_is_seen_and_one_above_it_is_not() -> None:
    held = opened()
    old = traded(118.0, 60, 59, ask_price=500.0)
    assert asked(hear(held, updates(traded(118.0, 1, 0)), updates(old))) == []
    fallen = traded(118.0, 61, 60, ask_price=30.0)
    assert asked(hear(held, updates(fallen))) == ["stop_loss"]


def test_crossed_quotes_say_nothing() -> None:
    held = opened()
    assert asked(hear(held, updates(quoted(119.0, 1, 200.0, 50.0)))) == []


def test_an_update_older_than_a_minute_triggers_nothing() -> None:
    held = opened()
    late = updates(update(80.0, 1)).model_copy(update={"clock_ms": NOW + 62_000})
    assert [
        one for one in held.on_event(late, NOW + 62_000) if isinstance(one, ExitRequested)
    ] == []


def test_a_clock_that_is_ahead_of_the_exchange_blinds_no_stop_after_a_mark() -> None:
    """The wall clock is 20 s ahead: the mark of 10:31:20 is no reason to ignore 10:31:01."""
    held = opened(mark_every_ms=60_000)
    marked = held.on_event(updates(update(120.0, 60)), NOW + 80_000)
    assert [one.type for one in marked] == ["PositionUpdated"]
    assert asked(held.on_event(updates(update(80.0, 61)), NOW + 81_000)) == ["stop_loss"]


def test_an_update_that_is_older_than_one_already_seen_moves_nothing() -> None:
    held = opened()
    assert asked(hear(held, updates(update(119.0, 5), update(80.0, 4)))) == []


def test_a_token_that_is_used_again_after_the_expiry_marks_nothing() -> None:
    held = make_positions()
    hear(held, fill())
    reused = updates(update(10.0, 7 * 24 * 3600), day=contract().expiry.replace(day=17))
    assert asked(held.on_event(reused, NOW)) == []
    assert held.open_tokens == (TOKEN,)


def test_frames_of_other_contracts_cost_no_look_at_their_rows() -> None:
    held = opened()
    assert hear(held, ticks(1.0, NOW + 1000, token=TOKEN + 256)) == []


def test_after_a_restart_the_middle_of_a_wide_spread_is_no_price_that_reaches_the_target() -> None:
    held = opened(mark_every_ms=1000)
    wide = [
        quoted(118.0, second, bid=150.0, ask=240.0, last_trade_time=NOW - 60_000)
        for second in (20, 22)
    ]
    written = [*hear(held, fill(number=2)), *(e for row in wide for e in hear(held, updates(row)))]
    (*_, mark) = [one for one in written if isinstance(one, PositionUpdated)]
    assert (float(mark.last_price), float(mark.target)) == (195, 192)
    again = restarted(written, make_positions(ExitSettings(), 1000))
    assert asked([*written, *again.on_time(NOW + 24_000), *again.on_time(NOW + 26_000)]) == []
