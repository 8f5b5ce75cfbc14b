"""Which files are of a day, and of which instruments their ticks are."""

from datetime import date
from decimal import Decimal
from pathlib import Path

import pytest

from libs.market.calendar import load_calendar
from libs.market.instruments import Instrument
from services.ingest.recorded_feed import RecordedDay, read_day
from services.ingest.recordings.errors import RecordingError
from services.ingest.recordings.named import NOTHING, Named
from services.ingest.recordings.place import Recordings

DAY, NEXT = date(2026, 6, 17), date(2026, 6, 18)
EXPIRY = date(2026, 6, 30)


def write(path: Path, *days: date, symbol: str = "") -> Path:
    """Write a tick at 10:00 of each day, with a symbol where one is given."""
    path.parent.mkdir(parents=True, exist_ok=True)
    head = "symbol," if symbol else ""
    cell = f"{symbol}," if symbol else ""
    rows = [f"{cell}{day} 10:00:00.5,{100 + number},7" for number, day in enumerate(days)]
    path.write_text("\n".join([f"{head}timestamp,ltp,volume", *rows, ""]))
    return path


def read(place: Path, day: date = DAY, named: Named = NOTHING) -> RecordedDay:
    return read_day(Recordings(place, named), day, None, load_calendar())


def test_a_folder_of_days_is_read_by_the_names_of_its_files(tmp_path: Path) -> None:
    for day in (DAY, NEXT):
        write(tmp_path / day.isoformat() / "SBIN.csv", day)
    write(tmp_path / "notes.csv", DAY)
    assert Recordings(tmp_path).days() == [DAY, NEXT]
    assert [one.key for one in read(tmp_path).instruments] == ["NSE:SBIN"]


@pytest.mark.parametrize(
    "name", ["SBIN_2026-06-17.csv", "2026-06-17_SBIN_full.csv", "NSE_SBIN_20260617.csv"]
)
def test_a_file_says_its_day_and_its_symbol_by_its_name(tmp_path: Path, name: str) -> None:
    write(tmp_path / name, DAY, NEXT)
    write(tmp_path / "SBIN_2026-06-18.csv", NEXT)
    day = read(tmp_path)
    assert Recordings(tmp_path).days() == [DAY, NEXT]
    assert [one.key for one in day.instruments] == ["NSE:SBIN"]
    assert len(day.ticks[0].at_ms) == 2  # a row of another day stays, to be refused and counted


def test_a_file_without_a_day_in_its_name_is_of_the_days_of_its_rows(tmp_path: Path) -> None:
    file = write(tmp_path / "SBIN.csv", DAY, NEXT, date(1970, 1, 1))
    for place in (tmp_path, file):
        assert Recordings(place).days() == [DAY, NEXT]
        assert read(place, NEXT).first_prices() == {"SBIN": 101.0}


def test_a_folder_named_after_an_underlying_names_files_that_have_only_a_day(
    tmp_path: Path,
) -> None:
    write(tmp_path / "nifty_1sec_2022" / "2026-06-17.csv", DAY)
    (index,) = read(tmp_path / "nifty_1sec_2022").instruments
    assert (index.key, index.segment) == ("NSE:NIFTY 50", "INDICES")


def test_files_of_an_instrument_follow_each_other(tmp_path: Path) -> None:
    for hour in ("a", "b"):
        write(tmp_path / DAY.isoformat() / f"{hour}.csv", DAY, symbol="SBIN")
    assert len(read(tmp_path).ticks[0].at_ms) == 2


def test_a_file_that_says_its_symbols_is_read_for_them(tmp_path: Path) -> None:
    write(tmp_path / DAY.isoformat() / "all.csv", DAY, symbol="SBIN")
    write(tmp_path / DAY.isoformat() / "TCS.csv", DAY)
    recordings = Recordings(tmp_path)
    assert recordings.symbols(DAY) == ["SBIN", "TCS"]
    assert [one.symbol for one in recordings.read(DAY, ["SBIN"]).ticks] == ["SBIN"]
    with pytest.raises(RecordingError, match=r"NOPE: no ticks in .*; there are: SBIN, TCS"):
        recordings.read(DAY, ["NOPE"])


def test_a_file_that_is_not_asked_for_need_not_be_sound(tmp_path: Path) -> None:
    write(tmp_path / DAY.isoformat() / "TCS.csv", DAY)
    (tmp_path / DAY.isoformat() / "BAD.csv.gz").write_bytes(b"no gzip")
    assert [one.symbol for one in Recordings(tmp_path).read(DAY, ["TCS"]).ticks] == ["TCS"]
    with pytest.raises(RecordingError, match=r"BAD\.csv\.gz: damaged"):
        Recordings(tmp_path).read(DAY)


def test_a_name_that_says_no_symbol_is_asked_for(tmp_path: Path) -> None:
    write(tmp_path / "here" / "2026-06-17.csv", DAY)
    with pytest.raises(RecordingError, match="it names no symbol; say which by --symbol"):
        read(tmp_path / "here")
    assert [one.key for one in read(tmp_path / "here", named=Named("TCS")).instruments] == [
        "NSE:TCS"
    ]


def test_a_future_needs_its_expiry_and_is_named_by_it(tmp_path: Path) -> None:
    write(tmp_path / "2026-06-17.csv", DAY, symbol="RELIANCE")
    with pytest.raises(RecordingError, match=r"RELIANCE: .* say it by --expiry"):
        read(tmp_path, named=Named(exchange="NFO"))
    (future,) = read(tmp_path, named=Named(exchange="NFO", expiry=EXPIRY)).instruments
    assert (future.key, future.name) == ("NFO:RELIANCE26JUNFUT", "RELIANCE")
    assert (future.segment, future.instrument_type, future.expiry) == ("NFO-FUT", "FUT", EXPIRY)


def test_a_session_is_that_of_the_exchange(tmp_path: Path) -> None:
    write(tmp_path / "2026-06-17.csv", DAY, symbol="GOLD")
    day = read(tmp_path, named=Named(exchange="MCX", expiry=date(2026, 8, 5)))
    assert (day.session.open_ms, day.session.close_ms) == tuple(
        getattr(load_calendar().sessions("MCX", DAY)[0], name) for name in ("open_ms", "close_ms")
    )


LISTED = Instrument(
    instrument_token=9537538,
    exchange_token=37256,
    tradingsymbol="RELIANCE26JUNFUT",
    name="RELIANCE",
    last_price=0.0,
    expiry=EXPIRY,
    strike=0.0,
    tick_size=Decimal("0.1"),
    lot_size=500,
    instrument_type="FUT",
    segment="NFO-FUT",
    exchange="NFO",
)


def test_a_dump_says_what_the_file_does_not(tmp_path: Path) -> None:
    write(tmp_path / "by_name" / "2026-06-17.csv", DAY, symbol="RELIANCE")
    by_name = Named(exchange="NFO", expiry=EXPIRY, dump=(LISTED,))
    assert read(tmp_path / "by_name", named=by_name).instruments == [LISTED]
    tokens = tmp_path / "by_token" / "2026-06-17.csv"
    write(tokens, DAY, symbol="9537538")
    tokens.write_text(tokens.read_text().replace("symbol", "instrument_token"))
    assert read(tmp_path / "by_token", named=Named(dump=(LISTED,))).instruments == [LISTED]


def test_tokens_without_a_dump_are_asked_for(tmp_path: Path) -> None:
    text = "instrument_token,timestamp,ltp\n1,2026-06-17 10:00:00,5\n257,2026-06-17 10:00:00,5\n"
    (tmp_path / "2026-06-17.csv").write_text(text)
    with pytest.raises(RecordingError, match=r"token 1: .* Kite's dump does, by --instruments"):
        read(tmp_path)


def test_only_the_exchange_that_is_asked_for_is_played(tmp_path: Path) -> None:
    file = tmp_path / "2026-06-17.csv"
    rows = "".join(f"{exchange}:TCS,2026-06-17 10:00:00,5\n" for exchange in ("NSE", "BSE"))
    file.write_text(f"symbol,timestamp,ltp\n{rows}")
    with pytest.raises(RecordingError, match="TCS: recorded on two exchanges"):
        read(tmp_path)
    assert [one.key for one in read(tmp_path, named=Named(exchange="BSE")).instruments] == [
        "BSE:TCS"
    ]


def test_a_share_that_was_polled_without_volumes_is_no_index(tmp_path: Path) -> None:
    text = "timestamp,last_price\n2026-06-17 10:00:00,5\n"
    for name in ("TCS", "NIFTY50"):
        (tmp_path / f"{name}_2026-06-17.csv").write_text(text)
    day = read(tmp_path)
    assert {one.tradingsymbol: one.segment for one in day.instruments} == {
        "TCS": "NSE",
        "NIFTY 50": "INDICES",
    }
    assert {one.symbol: one.volume.tolist() for one in day.ticks} == {"TCS": [-1], "NIFTY 50": [0]}


@pytest.mark.parametrize("day", [date(2022, 9, 24), date(2026, 1, 26)])
def test_a_closed_day_is_refused_whatever_was_recorded(tmp_path: Path, day: date) -> None:
    write(tmp_path / f"SBIN_{day}.csv", day)
    with pytest.raises(RecordingError, match=f"{day}: the market is closed"):
        read(tmp_path, day)


def test_fractions_of_a_second_order_the_ticks_of_a_frame(tmp_path: Path) -> None:
    rows = [f"2026-06-17 10:00:00.{ms},{100 + ms / 1000},7" for ms in (250, 125, 875)]
    (tmp_path / "TCS_2026-06-17.csv").write_text("\n".join(["timestamp,ltp,volume", *rows]))
    first, *_ = read(tmp_path).frames()
    stamps = first.columns.exchange_timestamp - first.columns.exchange_timestamp.min()
    assert stamps.tolist() == [125, 0, 750]
    assert first.received_ms == first.columns.exchange_timestamp.max()
