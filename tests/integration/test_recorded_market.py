"""A recorded day on the simulated exchange's board."""

from datetime import date
from pathlib import Path

import pandas as pd
import pytest

from libs.market.calendar import load_calendar
from services.local.play.recorded_market import recorded_market
from services.simulator.domain.board import Board
from services.simulator.settings import SimulatorSettings

DAY = date(2021, 6, 9)


@pytest.fixture(scope="module")
def board(recorded_ticks: Path) -> Board:
    """The board after the whole recorded day."""
    market = recorded_market(recorded_ticks, SimulatorSettings(day=DAY))
    played = Board(market, load_calendar(), option_seconds=60)
    while not played.is_over:
        played.advance()
    return played


def minutes(board: Board, tradingsymbol: str, day: date) -> pd.DataFrame:
    instrument = board.find("NSE", tradingsymbol)
    assert instrument is not None
    session = load_calendar().sessions("NSE", day)[0]
    reply = board.historical(
        instrument.instrument_token, "minute", session.open_ms, session.close_ms, False, False, {}
    )
    names = ["at", "open", "high", "low", "close", "volume"]
    table = pd.DataFrame(reply["candles"], columns=names)
    return table.assign(at=pd.to_datetime(table["at"]).dt.tz_localize(None)).set_index("at")


def recorded(folder: Path, tradingsymbol: str) -> pd.DataFrame:
    """One-minute prices by pandas, from the file itself."""
    ticks = pd.read_csv(folder / DAY.isoformat() / f"{tradingsymbol}.csv.gz")
    ticks["at"] = pd.to_datetime(ticks["timestamp"])
    inside = (ticks["at"] >= f"{DAY} 09:15") & (ticks["at"] < f"{DAY} 15:30") & (ticks["ltp"] > 0)
    by_minute = ticks[inside].groupby(ticks["at"].dt.floor("min"))["ltp"]
    return by_minute.agg(["max", "min"])


@pytest.mark.parametrize("tradingsymbol", ["RELIANCE", "SBIN", "NIFTY50"])
def test_the_minutes_of_the_board_have_the_recorded_highs_and_lows(
    board: Board, recorded_ticks: Path, tradingsymbol: str
) -> None:
    ours, theirs = minutes(board, tradingsymbol, DAY), recorded(recorded_ticks, tradingsymbol)
    assert len(ours) == len(theirs) >= 370
    same = (ours["high"] == theirs["max"]) & (ours["low"] == theirs["min"])
    assert same.mean() > 0.97  # a row delivered late counts in the minute in which it arrived


def test_history_goes_back_over_the_recorded_days_and_the_close_before_is_known(
    board: Board, recorded_ticks: Path
) -> None:
    assert len(minutes(board, "RELIANCE", date(2021, 6, 8))) > 300
    reliance = board.find("NSE", "RELIANCE")
    assert reliance is not None
    ticks = pd.read_csv(recorded_ticks / "2021-06-08" / "RELIANCE.csv.gz")
    inside = ticks[ticks["timestamp"] < "2021-06-08 15:30"]
    assert board.previous_close(reliance.instrument_token) == inside["ltp"].iloc[-1]


def test_options_are_listed_and_quoted_on_the_recorded_prices(board: Board) -> None:
    options = [one for one in board.instruments if one.is_option and one.name == "RELIANCE"]
    assert options
    quote = board.quote(options[len(options) // 2].instrument_token)
    assert quote is not None
    assert quote.mid is not None
