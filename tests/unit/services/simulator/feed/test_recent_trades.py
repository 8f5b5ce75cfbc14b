from libs.market.calendar import load_calendar
from services.simulator.domain.board import Board
from services.simulator.domain.feed.recent_trades import SECONDS
from tests.unit.services.simulator import plays
from tests.unit.services.simulator.account.market_stand_in import at


def board(prices: list[float]) -> Board:
    return Board(plays.ScriptedMarket(plays.second_frames(at("09:15"), prices)), load_calendar())


def test_the_reference_is_the_average_trade_of_the_last_thirty_seconds() -> None:
    exchange = board([1000.0, *[1100.0] * 10, *[1200.0] * SECONDS])
    plays.play(exchange, 11)
    first, then = 1000.0, 1100.0
    assert exchange.reference_price(plays.STOCK_TOKEN) == (first * 0 + then * 10) / 10
    plays.play(exchange, 10)
    assert exchange.reference_price(plays.STOCK_TOKEN) == 1150.0
    plays.play(exchange, 20)
    assert exchange.reference_price(plays.STOCK_TOKEN) == 1200.0


def test_before_the_first_trade_there_is_no_reference() -> None:
    assert board([1000.0]).reference_price(plays.STOCK_TOKEN) == 0.0
