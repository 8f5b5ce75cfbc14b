"""Recorded chains: read, refused, and traded instead of the model."""

import csv
import gzip
from collections import Counter
from collections.abc import Mapping
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from libs.market.calendar import load_calendar
from libs.market.rulebook import load_rulebook
from services.local.backtest.candles.history import CandleHistory
from services.local.backtest.errors import BacktestError
from services.local.backtest.options.chains import RecordedChains, read_chains
from services.local.backtest.options.rules import OptionRules, PriceModel
from services.local.backtest.options.trading import OptionTrades, option_trades
from services.local.backtest.result import BacktestRequest
from tests.unit.services.local.backtest.options.builders import (
    Bar,
    at,
    flat,
    history,
    recorded,
    signal,
)
from tests.unit.services.local.backtest.options.plain import TICK, nearest, side

DAY = date(2025, 8, 29)
SNAPSHOTS = "option_chain/NIFTY_2025-08-29_1min_snapshots.csv.gz"
STALE = "option_chain/NIFTY_2025-08-27_holiday_stale.csv.gz"
SIDE = {
    "OI": 100,
    "Volume": 1000,
    "LTP": 100.0,
    "Bid_Price": 99.5,
    "Bid_Qty": 750,
    "Ask_Price": 100.5,
    "Ask_Qty": 750,
}


def row(
    fetched: str = "29-Aug-2025 09:30:00", strike: float = 24_500, **changes: Any
) -> dict[str, Any]:
    """A strike of a snapshot; `changes` by the column's name."""
    both = {f"{of}_{name}": value for of in ("CALLS", "PUTS") for name, value in SIDE.items()}
    named = {"Fetch_Time": fetched, "Symbol": "NIFTY", "Expiry_Date": "02-Sep-2025"}
    return {**named, **both, "Strike_Price": strike, **changes}


def chains(folder: Path, *rows: Mapping[str, Any]) -> RecordedChains:
    file = folder / "chain.csv"
    with file.open("w") as out:
        writer = csv.DictWriter(out, rows[0].keys())
        writer.writeheader()
        writer.writerows(rows)
    return read_chains(file)


def traded(
    candles: CandleHistory, of: RecordedChains, candle: int = 0, is_overnight: bool = False
) -> OptionTrades:
    return option_trades(
        BacktestRequest("ma_crossover", trades_in="options", is_overnight=is_overnight),
        [candles],
        [signal(candles, candle)],
        load_rulebook(),
        load_calendar(),
        of,
        rules=OptionRules(model=PriceModel(volatility=0.15)),
    )


def ladder(fetched: str, bid: float = 99.5) -> list[dict[str, Any]]:
    """A snapshot of seven strikes, of which the one at the money has most volume."""
    changes = {"CALLS_Bid_Price": bid, "CALLS_Ask_Price": bid + 1}
    return [
        row(fetched, 24_500 + 50 * step, **changes, CALLS_Volume=1000 - abs(step))
        for step in range(-3, 4)
    ]


def test_a_recorded_chain_gives_the_prices_where_there_is_one(tmp_path: Path) -> None:
    of = chains(
        tmp_path,
        *ladder("29-Aug-2025 09:29:30"),
        *ladder("29-Aug-2025 09:40:00", 120.0),
        *ladder("29-Aug-2025 09:41:00", 60.0),
        *ladder("29-Aug-2025 09:42:00", 40.0),
    )
    (trade,) = traded(history({DAY: flat(24_500.0)}), of).trades
    assert trade.priced_by == "recorded"
    assert (trade.entered_ms, trade.entry_price) == (at(9, 30, DAY), Decimal("100.50"))
    assert (trade.exited_ms, trade.exit_price) == (at(9, 41, DAY), Decimal("60.00"))
    assert trade.reason == "stop_loss"
    assert (trade.adverse, trade.favourable) == (Decimal("40.50"), Decimal("19.50"))


def test_volume_and_open_interest_are_recorded_in_lots(tmp_path: Path) -> None:
    few = {"CALLS_OI": 13, "CALLS_Volume": 2}
    rows = [one | few for one in ladder("29-Aug-2025 09:29:30")]
    made = traded(history({DAY: flat(24_500.0)}), chains(tmp_path, *rows))
    assert made.refusals == {"no_contract": 1}
    assert [one.numbers for one in made.refused.values()] == [{"low_oi": 7.0}]
    rows = [one | {"CALLS_OI": 14, "CALLS_Volume": 2} for one in rows]
    assert len(traded(history({DAY: flat(24_500.0)}), chains(tmp_path, *rows)).trades) == 1


def test_an_old_or_missing_snapshot_leaves_the_price_to_the_model(tmp_path: Path) -> None:
    old = chains(tmp_path, *ladder("29-Aug-2025 09:27:59"))
    later = chains(tmp_path, *ladder("29-Aug-2025 09:30:01"))
    for of in (old, later):
        (trade,) = traded(history({DAY: flat(24_500.0)}), of).trades
        assert trade.priced_by == "model"
        assert trade.entry_price != Decimal("100.50")


def test_snapshots_without_a_bid_are_passed_over(tmp_path: Path) -> None:
    of = chains(
        tmp_path,
        *ladder("29-Aug-2025 09:29:30"),
        *ladder("29-Aug-2025 09:40:00", 0.0),
        *ladder("29-Aug-2025 15:15:30", 101.0),
    )
    (trade,) = traded(history({DAY: flat(24_500.0)}), of).trades
    assert (trade.reason, trade.exit_price) == ("square_off", Decimal("101.00"))
    assert trade.exited_ms == at(15, 15, DAY) + 30_000


def test_where_the_recording_ends_the_trade_ends(tmp_path: Path) -> None:
    of = chains(tmp_path, *ladder("29-Aug-2025 09:29:30"), *ladder("29-Aug-2025 11:00:00", 110.0))
    (trade,) = traded(history({DAY: flat(24_500.0)}), of).trades
    assert (trade.reason, trade.exited_ms) == ("end_of_data", at(11, 0, DAY))


def test_the_later_row_of_a_repeated_snapshot_counts(tmp_path: Path) -> None:
    of = chains(
        tmp_path, *ladder("29-Aug-2025 09:29:30", 50.0), *ladder("29-Aug-2025 09:29:30", 99.5)
    )
    (trade,) = traded(history({DAY: flat(24_500.0)}), of).trades
    assert trade.entry_price == Decimal("100.50")


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ({"Fetch_Time": "yesterday"}, "Fetch_Time is yesterday"),
        ({"Expiry_Date": "2025-09-02"}, "Expiry_Date is 2025-09-02"),
        ({"CALLS_Bid_Price": -1}, "CALLS_Bid_Price is -1"),
        ({"PUTS_OI": ""}, "PUTS_OI is nan"),
        ({"Strike_Price": "ATM"}, "Strike_Price is ATM"),
    ],
)
def test_a_row_that_cannot_be_read_is_named(
    tmp_path: Path, wrong: dict[str, Any], said: str
) -> None:
    with pytest.raises(BacktestError, match=r"chain.csv, row 2: ") as refused:
        chains(tmp_path, row(), row(strike=24_550) | wrong)
    assert said in str(refused.value)


def test_a_file_of_another_kind_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "chain.csv"
    file.write_text("timestamp,strike\n1,2\n")
    with pytest.raises(BacktestError, match="column Fetch_Time is missing"):
        read_chains(file)
    file.write_text("")
    with pytest.raises(BacktestError, match=r"chain\.csv"):
        read_chains(file)
    with pytest.raises(BacktestError, match="no option chain"):
        read_chains(tmp_path / "missing.txt")
    with pytest.raises(BacktestError, match=r"missing\.csv"):
        read_chains(tmp_path / "missing.csv")


def test_a_folder_of_chains_is_one_recording(tmp_path: Path) -> None:
    chains(tmp_path, *ladder("29-Aug-2025 09:29:30"))
    with gzip.open(tmp_path / "later.csv.gz", "wt") as out:
        text = (tmp_path / "chain.csv").read_text()
        out.write(text.replace("09:29:30", "09:41:00").replace("99.5", "60.0"))
    recording = read_chains(tmp_path).of["NIFTY"]
    assert len(np.unique(recording.at_ms)) == 2
    assert len(recording.at_ms) == 28


def parity(rows: list[dict[str, str]]) -> float:
    """The spot that calls and puts at the money of the nearest expiry imply."""
    best = min(
        (row for row in rows if float(row["CALLS_LTP"]) and float(row["PUTS_LTP"])),
        key=lambda row: abs(float(row["CALLS_LTP"]) - float(row["PUTS_LTP"])),
    )
    return float(best["Strike_Price"]) + float(best["CALLS_LTP"]) - float(best["PUTS_LTP"])


def real_rows() -> dict[int, list[dict[str, str]]]:
    """The nearest expiry's rows by the exchange's time (epoch ms)."""
    found: dict[int, list[dict[str, str]]] = {}
    with gzip.open(recorded(SNAPSHOTS), "rt") as source:
        for one in csv.DictReader(source):
            if one["Expiry_Date"] == "02-Sep-2025":
                clock = [int(part) for part in one["Fetch_Time"].split()[1].split(":")]
                at_ms = at(clock[0], clock[1], DAY) + clock[2] * 1000
                found.setdefault(at_ms, []).append(one)
    return found


def test_real_snapshots_give_the_trades_of_a_plain_reading_of_the_file() -> None:
    rows = real_rows()
    bars: list[Bar] = []
    for number in range(25):
        opened = at(9, 15, DAY) + number * 900_000
        inside = [parity(rows[t]) for t in sorted(rows) if opened <= t < opened + 900_000]
        inside = inside or [bars[-1][3]]
        bars.append((inside[0], max(inside), min(inside), inside[-1]))
    candles = history({DAY: bars})
    of = read_chains(recorded(SNAPSHOTS))
    seen: Counter[str] = Counter()
    for candle in range(1, 22):
        made = traded(candles, of, candle)
        for trade in made.trades:
            ages = [trade.entered_ms - at_ms for at_ms in rows]
            is_recorded = any(0 <= age <= 120_000 for age in ages)
            assert trade.priced_by == ("recorded" if is_recorded else "model")
            if is_recorded:
                check(trade, rows)
                seen[trade.reason] += 1
    assert seen.total() >= 15
    assert "square_off" in seen
    assert "stop_loss" in seen


def check(trade: Any, rows: dict[int, list[dict[str, str]]]) -> None:
    """Compare a bought call with the file."""
    strike = trade.tradingsymbol.removeprefix("NIFTY25902").removesuffix("CE")

    def quote(at_ms: int, column: str) -> Decimal:
        found = {one["Strike_Price"]: one for one in rows[at_ms]}[strike]
        return Decimal(found[column]).quantize(Decimal("0.01"))

    standing = max(t for t in rows if t <= trade.entered_ms)
    entry = quote(standing, "CALLS_Ask_Price")
    stop, target = (nearest(entry * Decimal(part)) * TICK for part in ("0.7", "1.6"))
    for exited in sorted(at_ms for at_ms in rows if at_ms > trade.entered_ms):
        price = quote(exited, "CALLS_Bid_Price")
        is_hit = price and (price <= stop or price >= target)
        if is_hit or (price and exited >= at(15, 15, DAY)):
            break
    reason = "square_off" if not is_hit else "stop_loss" if price <= stop else "target"
    assert (trade.entry_price, trade.exited_ms, trade.exit_price) == (entry, exited, price)
    assert trade.reason == reason
    paid = side(entry * trade.quantity, DAY, is_sale=False)
    paid += side(price * trade.quantity, DAY, is_sale=True)
    assert trade.net == (price - entry) * trade.quantity - paid


def test_snapshots_of_a_holiday_are_not_traded() -> None:
    of = read_chains(recorded(STALE))
    day = date(2025, 8, 28)
    candles = history({day: flat(24_600.0)})
    made = traded(candles, of)
    assert [trade.priced_by for trade in made.trades] == ["model"]
