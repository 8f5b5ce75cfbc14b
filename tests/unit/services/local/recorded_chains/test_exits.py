"""Each trade on recorded chains once more by hand: its fills, its exit and reason, its money."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, time, timedelta
from decimal import ROUND_CEILING, ROUND_HALF_UP, Decimal
from pathlib import Path
from typing import Any

import pytest

from libs.events.orders import OrderPlanned
from libs.events.positions import PositionClosed
from libs.events.signals import ExecutionDecided
from libs.market.calendar import IST
from services.local.play.replaying import Played
from services.local.settings import LocalSettings
from tests.unit.services.local.recorded_chains.chain_files import (
    at,
    minutes,
    snapshots,
    strikes_around,
    write_chain,
)
from tests.unit.services.local.recorded_chains.played import (
    RECORDED,
    day_of,
    played,
    scripted,
    signal,
    snapshots_in,
)

NEAREST, LOT, TICK = "02-Sep-2025", 75, Decimal("0.05")
STOP, REWARD, HOLDING, SQUARE_OFF = (
    Decimal("0.2"),
    Decimal("1.5"),
    timedelta(minutes=40),
    time(15, 15),
)
ENTRY_TIMEOUT = timedelta(seconds=211)
SETTINGS = LocalSettings.model_validate(
    {
        "executor": {
            "levels": {"stop": str(STOP), "reward": str(REWARD)},
            "limits": {
                "positions": 100,
                "positions_per_underlying": 100,
                "losses_in_a_row": 100,
                "trades_a_day": 100,
                "lots_a_trade": 1,
                "capital_at_risk": "0.9",
                "daily_loss": "0.5",
            },
        },
        "position": {"exits": {"holding_ms": HOLDING // timedelta(milliseconds=1)}},
    }
)
"""One lot each, so that a quote always has enough for it."""
Quotes = Mapping[str, Any]


@dataclass(frozen=True)
class Byhand:
    """What a trade comes to by the rules in words."""

    bought_at: datetime
    asked_at: datetime
    sold_at: datetime
    reason: str
    entry: Decimal
    exit: Decimal

    @property
    def net(self) -> Decimal:
        """Profit after the charges of two orders, rupees."""
        bought, sold = self.entry * LOT, self.exit * LOT
        return sold - bought - charges(bought, is_sale=False) - charges(sold, is_sale=True)


def paise(amount: Decimal) -> Decimal:
    return amount.quantize(Decimal("0.01"), ROUND_HALF_UP)


def charges(value: Decimal, *, is_sale: bool) -> Decimal:
    """Charges of an order in August 2025: rates as the exchange and the broker state them."""
    brokerage, exchange = Decimal(20), paise(value * EXCHANGE)
    sebi = paise(value * Decimal("0.000001"))
    gst = paise((brokerage + exchange + sebi) * Decimal("0.18"))
    own = value * (Decimal("0.001") if is_sale else Decimal("0.00003"))
    return brokerage + exchange + sebi + gst + paise(own)


EXCHANGE = Decimal("0.0003553")


def to_tick(price: Decimal) -> Decimal:
    return (price / TICK).to_integral(ROUND_HALF_UP) * TICK


def price(quote: Quotes, name: str) -> Decimal:
    return Decimal(quote[name])


def by_hand(
    contract: Sequence[tuple[datetime, Quotes]], decided_at: datetime, side: str
) -> Byhand | None:
    """Trade a contract's snapshots: buy after a decision, and sell by the first rule that holds."""
    times = [moment for moment, _ in contract]
    begins = max(i for i, moment in enumerate(times) if moment <= decided_at)
    premium = price(contract[begins][1], f"{side}_Ask_Price")
    limit = (premium * Decimal("1.01") / TICK).to_integral(ROUND_CEILING) * TICK
    bought = bought_at(contract, begins, limit, side)
    if bought is None:
        return None
    paid = price(contract[bought][1], f"{side}_Ask_Price")
    stop = to_tick(to_tick(premium * (1 - STOP)) * paid / premium)
    target = to_tick(to_tick(premium * (1 + STOP * REWARD)) * paid / premium)
    for i in range(bought + 1, len(contract) - 1):
        seen = seen_price(contract, i, side)
        reason = reason_at(seen, stop, target, times[i], times[bought])
        if reason:
            sold = price(contract[i + 1][1], f"{side}_Bid_Price")
            return Byhand(times[bought], times[i], times[i + 1], reason, paid, sold)
    return None


def bought_at(
    contract: Sequence[tuple[datetime, Quotes]], begins: int, limit: Decimal, side: str
) -> int | None:
    """Return the first later snapshot whose ask is within the limit, before the timeout."""
    since = contract[begins][0]
    for i in range(begins + 1, len(contract)):
        moment, quote = contract[i]
        if price(quote, f"{side}_Ask_Price") <= limit:
            return i
        if moment - since > ENTRY_TIMEOUT:
            return None
    return None


def seen_price(contract: Sequence[tuple[datetime, Quotes]], i: int, side: str) -> Decimal:
    """Return the last trade if there was one since the last snapshot, else the bid."""
    volumes = [int(quote[f"{side}_Volume"]) for _, quote in contract[: i + 1]]
    is_traded = volumes[i] > max(volumes[:i])
    quote = contract[i][1]
    return price(quote, f"{side}_LTP" if is_traded else f"{side}_Bid_Price")


def reason_at(
    seen: Decimal, stop: Decimal, target: Decimal, now: datetime, opened: datetime
) -> str:
    """Return the first rule that holds, in the order of precedence."""
    if seen <= stop:
        return "stop_loss"
    if seen >= target:
        return "target"
    if now.astimezone(IST).time() >= SQUARE_OFF:
        return "square_off"
    return "holding_time" if now - opened >= HOLDING else ""


def compare(run: Played, file: Path) -> set[str]:
    """Compare every decision's trade with the one by hand; return the reasons that were seen."""
    chain = snapshots_in(file, NEAREST)
    closed = {one.signal_id: one for one in of(run, "positions", PositionClosed)}
    asked = {one.signal_id: one for one in requests(run)}
    expected = {}
    for event in of(run, "decisions", ExecutionDecided):
        assert event.outcome == "executed", event.reason
        strike, side = (
            event.tradingsymbol[-7:-2],
            "CALLS" if event.tradingsymbol[-2:] == "CE" else "PUTS",
        )
        rows = [
            (m, r) for m, of_time in chain.items() for r in of_time if r["Strike_Price"] == strike
        ]
        trade = by_hand(rows, event.occurred_at, side)
        if trade is not None:
            expected[event.signal_id] = trade
    assert closed.keys() == expected.keys()
    for signal_id, trade in expected.items():
        ours = closed[signal_id]
        found = (
            ours.opened_at,
            ours.occurred_at,
            ours.exit_reason,
            ours.entry_price,
            ours.exit_price,
        )
        assert found == (trade.bought_at, trade.sold_at, trade.reason, trade.entry, trade.exit)
        assert asked[signal_id].occurred_at == trade.asked_at
        assert ours.net == trade.net
    total = sum((trade.net for trade in expected.values()), Decimal(0))
    assert run.summary["net_pnl"] == total
    return {trade.reason for trade in expected.values()}


def of(run: Played, topic: str, kind: type[Any]) -> list[Any]:
    return [event for event in run.outcome.events[topic] if isinstance(event, kind)]


def requests(run: Played) -> list[Any]:
    """Return for each signal the plan of its first exit, which is made at the request's time."""
    exits = [one for one in of(run, "orders", OrderPlanned) if one.leg == "exit"]
    return list(reversed(exits))


def test_each_recorded_trade_ends_at_the_first_quote_that_meets_a_rule_and_pays_to_the_paisa(
    recorded: Callable[[str], Path], tmp_path: Path
) -> None:
    file = recorded(RECORDED)
    moments = [m for m in snapshots_in(file, NEAREST) if m < at("14:58")]
    # Few that end at one time, so that none is held up by another's order; two near the close.
    lines = [signal(m, ("BUY", "SELL")[n % 2]) for n, m in enumerate(moments[:-20:9])]
    lines += [signal(m, "BUY") for m in (moments[-11], moments[-8])]
    day = day_of(file)
    run = played(day, scripted(tmp_path, lines, day), SETTINGS)
    assert compare(run, file) == {"stop_loss", "target", "square_off", "holding_time"}


@pytest.mark.parametrize(
    ("moves", "reason"),
    [
        ([0, 5, -2, -60, -60, -60], "stop_loss"),
        ([0, 5, -2, 90, 90, 90], "target"),
        ([0, 2, *[1] * 45], "holding_time"),
    ],
)
def test_each_made_trade_ends_by_the_rule_it_was_made_for(
    moves: list[int], reason: str, tmp_path: Path
) -> None:
    spots = minutes("10:00", [24_500.0 + move for move in moves])
    rows = snapshots(spots, strikes=strikes_around(24_500))
    file = write_chain(tmp_path / "chain.csv", rows)
    day = day_of(file)
    run = played(day, scripted(tmp_path, [signal(at("10:00"), "BUY")], day), SETTINGS)
    assert compare(run, file) == {reason}


def test_at_the_square_off_a_made_trade_ends(tmp_path: Path) -> None:
    rows = snapshots(minutes("14:50", [24_500.0] * 30), strikes=strikes_around(24_500))
    file = write_chain(tmp_path / "chain.csv", rows)
    day = day_of(file)
    run = played(day, scripted(tmp_path, [signal(at("14:52"), "SELL")], day), SETTINGS)
    assert compare(run, file) == {"square_off"}


def test_two_runs_have_one_digest(tmp_path: Path) -> None:
    rows = snapshots(minutes("10:00", [24_500.0, 24_505.0, 24_420.0, 24_410.0, 24_400.0]))
    day = day_of(write_chain(tmp_path / "chain.csv", rows))
    asked = scripted(tmp_path, [signal(at("10:00:30"), "BUY")], day)
    digests = {played(day, asked, SETTINGS).summary["sha256"] for _ in range(2)}
    assert len(digests) == 1


def test_a_signal_between_two_snapshots_is_decided_at_its_own_time_by_the_older_one(
    tmp_path: Path,
) -> None:
    file = write_chain(
        tmp_path / "chain.csv", snapshots(minutes("10:00", [24_500.0, 24_501.0, 24_502.0]))
    )
    day = day_of(file)
    run = played(day, scripted(tmp_path, [signal(at("10:00:40"), "BUY")], day), SETTINGS)
    (decision,) = of(run, "decisions", ExecutionDecided)
    assert decision.occurred_at == at("10:00:40")
    assert {one["quote_age_seconds"] for one in decision.candidates} == {40.0}


def test_a_signal_in_an_outage_of_the_recording_is_refused_for_old_quotes(tmp_path: Path) -> None:
    spots = [*minutes("10:00", [24_500.0, 24_501.0]), *minutes("10:20", [24_502.0, 24_503.0])]
    day = day_of(write_chain(tmp_path / "chain.csv", snapshots(spots)))
    asked = [signal(at("10:03:32"), "BUY"), signal(at("10:03:31"), "SELL")]
    run = played(day, scripted(tmp_path, asked, day), SETTINGS)
    decisions = of(run, "decisions", ExecutionDecided)
    assert [(one.outcome, one.reason) for one in decisions] == [
        ("refused", "old_spot"),
        ("refused", "old_spot"),
    ]
