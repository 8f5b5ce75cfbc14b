"""Small markets and boards for the tests of the market side."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from decimal import Decimal

import numpy as np

from libs.events.ticks import TickColumns
from libs.market.instruments import Instrument
from services.simulator.domain.board import Board
from services.simulator.domain.feed.packets import Subscription
from services.simulator.domain.market.frames import Frame
from services.simulator.domain.market.history import MinuteCandles

DAY = date(2026, 6, 10)
INDEX_TOKEN, STOCK_TOKEN, OPTION_TOKEN = 256265, 408065, 9537538


def instrument(token: int, symbol: str, segment: str, exchange: str, kind: str) -> Instrument:
    """Give a row of the dump; an option expires on the day played."""
    is_option = kind in ("CE", "PE")
    return Instrument(
        instrument_token=token,
        exchange_token=token >> 8,
        tradingsymbol=symbol,
        name=symbol,
        last_price=0.0,
        expiry=DAY if is_option else None,
        strike=1000.0 if is_option else 0.0,
        tick_size=Decimal(0) if segment == "INDICES" else Decimal("0.05"),
        lot_size=0 if segment == "INDICES" else 65 if is_option else 1,
        instrument_type=kind,
        segment=segment,
        exchange=exchange,
    )


INSTRUMENTS = (
    instrument(INDEX_TOKEN, "NIFTY 50", "INDICES", "NSE", "EQ"),
    instrument(STOCK_TOKEN, "INFY", "NSE", "NSE", "EQ"),
    instrument(OPTION_TOKEN, "INFY26JUN1000CE", "NFO-OPT", "NFO", "CE"),
)


def ticks(*rows: tuple[int, int, float, int]) -> TickColumns:
    """Ticks of token, time in epoch ms, price and cumulative volume, with a bid and an ask."""
    tokens, at_ms, price, volume = zip(*rows, strict=True)
    last = np.array(price, np.float64)
    units = np.array(volume, np.int64)
    return TickColumns(
        instrument_token=np.array(tokens, np.uint32),
        exchange_timestamp=np.array(at_ms, np.int64),
        last_price=last,
        volume_traded=units,
        total_buy_quantity=units * 0 + 900,
        total_sell_quantity=units * 0 + 800,
        bid_price=np.maximum(last - 0.05, 0),
        bid_quantity=units * 0 + 70,
        ask_price=last + 0.05,
        ask_quantity=units * 0 + 80,
    )


@dataclass(frozen=True)
class ScriptedMarket:
    """A market of one index, one stock and one option, whose frames are given."""

    frames: Sequence[Frame]
    closes: Mapping[str, float] = field(default_factory=lambda: {"INFY": 1000.0})
    earlier: Sequence[tuple[date, Instrument, MinuteCandles]] = ()
    trading_day: date = DAY
    instruments: Sequence[Instrument] = INSTRUMENTS

    def underlying_frames(self, start_ms: int | None = None) -> Iterator[Frame]:
        """Give the frames, or those from a time on."""
        return (frame for frame in self.frames if frame.at_ms >= (start_ms or 0))

    def option_quotes(self, spots: Mapping[str, float], at_ms: int) -> TickColumns:
        """Quote the option at a tenth of the stock."""
        price = round(spots.get("INFY", 1000.0) / 10 / 0.05) * 0.05
        row = ticks((OPTION_TOKEN, at_ms, round(price, 2), at_ms // 1000 % 1000 * 65))
        return TickColumns(**(row.columns() | {"oi": np.array([6500])}))  # type: ignore[arg-type]

    def previous_closes(self) -> Mapping[str, float]:
        """Give the closes as they are."""
        return self.closes

    def history(self) -> Iterator[tuple[date, Instrument, MinuteCandles]]:
        """Give the earlier days as they are."""
        return iter(self.earlier)


def second_frames(open_ms: int, prices: Sequence[float]) -> list[Frame]:
    """Frames in which index and stock tick each second; the stock trades 10 units a second."""
    return [
        Frame(
            open_ms + second * 1000,
            ticks(
                (INDEX_TOKEN, open_ms + second * 1000, 25 * price, 0),
                (STOCK_TOKEN, open_ms + second * 1000, price, (second + 1) * 10),
            ),
        )
        for second, price in enumerate(prices)
    ]


def everything(board: Board, mode: str = "full") -> Subscription:
    """Subscribe to all instruments of a board."""
    subscription = Subscription()
    tokens = [one.instrument_token for one in board.instruments]
    subscription.subscribe(tokens)
    subscription.set_mode(mode, tokens)
    return subscription


def play(board: Board, seconds: int) -> None:
    """Advance a board by so many seconds."""
    for _ in range(seconds):
        board.advance()
