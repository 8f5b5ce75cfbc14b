"""Forward, implied volatility and greeks of files: against solvers of other hands."""

import csv
import math
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy.optimize import brentq
from scipy.optimize.elementwise import find_root
from scipy.stats import norm

from libs.market.calendar import load_calendar
from libs.market.greeks import implied_volatility
from services.local.recorded_chains.reading import read_chain_rows
from services.local.recorded_chains.table import ADDED, valued_of, write_table
from tests.unit.services.local.recorded_chains.chain_files import (
    DAY,
    RATE,
    VOLATILITY,
    at,
    minutes,
    snapshots,
    write_chain,
    years_from,
)
from tests.unit.services.local.recorded_chains.plain_chain import near, spot_of

RECORDED = "option_chain/NIFTY_2025-08-29_1min_snapshots.csv.gz"
WITHIN = 1e-6


def table_of(file: Path, out: Path) -> pd.DataFrame:
    rows = read_chain_rows(file, "NIFTY")
    write_table(out, rows, valued_of(rows, load_calendar(), RATE), lambda: None)
    table = pd.read_csv(out)
    table["at"] = pd.to_datetime(table["Fetch_Time"], format="%d-%b-%Y %H:%M:%S")
    expiry = pd.to_datetime(table["Expiry_Date"], format="%d-%b-%Y")
    seconds = (expiry - table["at"]).dt.total_seconds() + 15.5 * 3600
    return table.assign(years=seconds / (365 * 86_400))


@pytest.fixture(scope="module")
def synthetic(tmp_path_factory: pytest.TempPathFactory) -> pd.DataFrame:
    folder = tmp_path_factory.mktemp("synthetic")
    rows = snapshots(minutes("10:00", [24_510.0, 24_523.4, 24_498.2]))
    return table_of(write_chain(folder / "chain.csv", rows), folder / "out.csv")


@pytest.fixture(scope="module")
def recorded_table(
    recorded: Callable[[str], Path], tmp_path_factory: pytest.TempPathFactory
) -> pd.DataFrame:
    return table_of(recorded(RECORDED), tmp_path_factory.mktemp("recorded") / "out.csv")


def mids(table: pd.DataFrame, side: str) -> pd.Series:
    bid, ask = table[f"{side}_Bid_Price"], table[f"{side}_Ask_Price"]
    return ((bid + ask) / 2).where((bid > 0) & (ask >= bid))


def plain_forwards(table: pd.DataFrame) -> dict[tuple[Any, str], float]:
    """Forwards by the definition, one chain after another: no arrays, no code of the project."""
    quotes: dict[tuple[Any, str], dict[float, tuple[float, float]]] = defaultdict(dict)
    years: dict[tuple[Any, str], float] = {}
    for row in table.to_dict("records"):
        sides = [(row[f"{side}_Bid_Price"], row[f"{side}_Ask_Price"]) for side in ("CALLS", "PUTS")]
        tight = all(0 < b <= a and (a - b) / ((a + b) / 2) <= 0.05 for b, a in sides)
        key = (row["at"], row["Expiry_Date"])
        call, put = ((b + a) / 2 if tight else math.nan for b, a in sides)
        quotes[key][row["Strike_Price"]] = (call, put)
        years[key] = row["years"]
    spots: dict[Any, float] = {}
    forwards = {}
    for key in sorted(quotes, key=lambda one: (str(one[0]), years[one])):
        moment = key[0]
        if moment not in spots:
            spots[moment] = spot_of(quotes[key], years[key])
        forwards[key] = near(quotes[key], years[key], spots[moment])
    return forwards


def undiscounted(volatility: Any, forward: Any, strike: Any, years: Any, sign: float) -> Any:
    deviation = volatility * np.sqrt(years)
    d1 = np.log(forward / strike) / deviation + deviation / 2
    at_d1, at_d2 = norm.cdf(sign * d1), norm.cdf(sign * (d1 - deviation))
    return sign * (forward * at_d1 - strike * at_d2)


@pytest.mark.parametrize("of", ["synthetic", "recorded_table"])
def test_the_forward_is_that_of_a_second_implementation(
    of: str, request: pytest.FixtureRequest
) -> None:
    table: pd.DataFrame = request.getfixturevalue(of)
    table = table.drop_duplicates(["at", "Expiry_Date", "Strike_Price"])
    moments = table["at"].drop_duplicates()
    table = table[table["at"].isin(moments[:: max(len(moments) // 60, 1)])]
    expected = plain_forwards(table)
    ours = table.groupby(["at", "Expiry_Date"])["forward"].first()
    assert len(ours) == len(expected) > 5
    for key, forward in expected.items():
        assert ours[key] == pytest.approx(forward, abs=WITHIN)


@pytest.mark.parametrize("of", ["synthetic", "recorded_table"])
@pytest.mark.parametrize(("kind", "side", "sign"), [("ce", "CALLS", 1.0), ("pe", "PUTS", -1.0)])
def test_volatilities_are_those_of_scipys_root_finder(
    of: str, kind: str, side: str, sign: float, request: pytest.FixtureRequest
) -> None:
    table = request.getfixturevalue(of)
    ours = table[table[f"{kind}_iv"].notna()]
    premium = (mids(ours, side) * np.exp(RATE * ours["years"])).to_numpy()
    terms = [ours[name].to_numpy(np.float64) for name in ("forward", "Strike_Price", "years")]

    def apart(volatility: Any, target: Any, f: Any, k: Any, t: Any) -> Any:
        return undiscounted(volatility, f, k, t, sign) - target

    found: Any = find_root(apart, (1e-4, 20.0), args=(premium, *terms))
    assert found.success.mean() > 0.999
    error = np.abs(ours[f"{kind}_iv"].to_numpy() - found.x)[found.success]
    assert len(error) > 30
    # Far in the money a premium says little of the volatility: there its own rounding decides.
    says_much = (ours[f"{kind}_vega"] > 1e-3).to_numpy()[found.success]
    assert error[says_much].max() < WITHIN
    assert error.max() < 1e-4


def test_a_volatility_is_that_of_brent_too(synthetic: pd.DataFrame) -> None:
    for row in synthetic.iloc[::5].to_dict("records"):
        for kind, side, sign in (("ce", "CALLS", 1.0), ("pe", "PUTS", -1.0)):
            mid = (row[f"{side}_Bid_Price"] + row[f"{side}_Ask_Price"]) / 2
            target = mid * math.exp(RATE * row["years"])
            terms = (row["forward"], row["Strike_Price"], row["years"], sign)

            def apart(v: float, terms: Any = terms, target: float = target) -> float:
                return float(undiscounted(v, *terms)) - target

            expected = brentq(apart, 1e-4, 5, xtol=1e-12)
            assert row[f"{kind}_iv"] == pytest.approx(expected, abs=WITHIN)


def test_no_volatility_is_given_where_no_side_or_no_time_value_is(
    recorded_table: pd.DataFrame,
) -> None:
    for kind, side, sign in (("ce", "CALLS", 1), ("pe", "PUTS", -1)):
        table = recorded_table[recorded_table[f"{kind}_iv"].isna()]
        mid = mids(table, side)
        worth = np.maximum(sign * (table["forward"] - table["Strike_Price"]), 0)
        is_above = mid * np.exp(RATE * table["years"]) > worth + 1e-9
        assert not is_above.any()


def test_the_values_of_a_made_chain_are_those_it_was_made_with(synthetic: pd.DataFrame) -> None:
    first = synthetic[(synthetic["at"] == synthetic["at"].min())]
    years = years_from(at("10:00"), DAY.replace(month=9, day=2))
    near_expiry = first[first["Expiry_Date"] == "02-Sep-2025"]
    assert near_expiry["forward"].iloc[0] == pytest.approx(
        24_510 * math.exp(RATE * years), abs=0.06
    )
    assert np.abs(near_expiry[["ce_iv", "pe_iv"]] - VOLATILITY).max().max() < 2e-4


def test_deltas_of_call_and_put_lie_apart_by_the_discount(synthetic: pd.DataFrame) -> None:
    apart = synthetic["ce_delta"] - synthetic["pe_delta"]
    discount = np.exp(-RATE * synthetic["years"])
    assert np.abs(apart - discount).max() < 2e-3


EXCHANGES_RATE = 0.10


def test_the_exchange_grows_the_spot_at_ten_per_cent_and_the_market_at_less(
    recorded_table: pd.DataFrame,
) -> None:
    """The forward behind a published volatility makes the model's value the last price."""
    near = published_near_the_money(recorded_table)
    by_chain = near.groupby(["at", "Expiry_Date"])
    theirs = by_chain[["their_forward", "forward", "years"]].median().unstack()
    apart = theirs["years"]["30-Sep-2025"] - theirs["years"]["02-Sep-2025"]
    rates = {
        name: np.log(theirs[name]["30-Sep-2025"] / theirs[name]["02-Sep-2025"]) / apart
        for name in ("their_forward", "forward")
    }
    assert rates["their_forward"].median() == pytest.approx(EXCHANGES_RATE, abs=0.0005)
    assert rates["forward"].median() == pytest.approx(0.058, abs=0.001)


def test_by_the_exchanges_convention_its_volatilities_come_out(
    recorded_table: pd.DataFrame,
) -> None:
    """Last price, spot grown at 10 %, time to the close: half a hundredth of a per cent is left."""
    near = published_near_the_money(recorded_table)
    growth = np.exp(EXCHANGES_RATE * near["years"])
    spot = (near["their_forward"] / growth).groupby(near["at"]).transform("median")
    for kind, side, is_call in (("ce", "CALLS", True), ("pe", "PUTS", False)):
        terms = (spot * growth, near["Strike_Price"], near["years"], EXCHANGES_RATE, is_call)
        again = implied_volatility(near[f"{side}_LTP"], *terms)
        published = near[f"{side}_IV"] / 100
        assert np.nanmedian(np.abs(again - published)) < 0.0012
        assert np.nanmedian(np.abs(near[f"{kind}_iv"] - published)) > 0.0012


def published_near_the_money(table: pd.DataFrame) -> pd.DataFrame:
    """Return rows with a published volatility of both sides, and the forward behind them."""
    is_published = (table["CALLS_IV"] > 0) & (table["PUTS_IV"] > 0)
    is_near = np.abs(table["Strike_Price"] / table["forward"] - 1) < 0.006
    near = table[is_published & is_near & table["Expiry_Date"].isin(["02-Sep-2025", "30-Sep-2025"])]
    years, strike = near["years"].to_numpy(), near["Strike_Price"].to_numpy(np.float64)
    found = []
    for side, sign in (("CALLS", 1.0), ("PUTS", -1.0)):
        volatility = near[f"{side}_IV"].to_numpy() / 100
        target = near[f"{side}_LTP"].to_numpy() * np.exp(EXCHANGES_RATE * years)

        def apart(f: Any, v: Any, k: Any, t: Any, p: Any, s: Any) -> Any:
            return undiscounted(v, f, k, t, s) - p

        around = strike * 0.9, strike * 1.1
        terms: Any = (volatility, strike, years, target, sign)
        found.append(find_root(apart, around, args=terms).x)
    made: pd.DataFrame = near.assign(their_forward=np.mean(found, axis=0))
    return made


def test_the_columns_of_the_file_come_first_and_unchanged(
    recorded: Callable[[str], Path], tmp_path: Path
) -> None:
    file = recorded("option_chain/NIFTY_2025-08-27_holiday_stale.csv.gz")
    rows = read_chain_rows(file, "NIFTY")
    write_table(tmp_path / "o.csv", rows, valued_of(rows, load_calendar(), RATE), lambda: None)
    with (tmp_path / "o.csv").open() as lines:
        header, *table = list(csv.reader(lines))
    assert header == [*rows.header, *ADDED]
    width = len(rows.header)
    assert sorted(row[:width] for row in table) == sorted(map(list, rows.text))
