"""BSE's index and its options of BFO at the simulated exchange: dumps, quotes, ticks, orders."""

from functools import cache

from libs.broker.kite.frames import decode
from libs.market.calendar import load_calendar
from libs.market.dump import read_dump
from libs.market.instruments import Instrument
from libs.market.rulebook import load_rulebook
from services.ingest.domain.universe import Universe
from services.ingest.domain.universe_rules import UniverseRules
from services.simulator.domain.market.defects import DefectRates
from services.simulator.domain.market.synthetic import SyntheticMarket
from services.simulator.domain.market.underlyings import SENSEX
from tests.integration.simulators import DAY, Client, at_desk, frame


@cache
def market() -> SyntheticMarket:
    rules = load_calendar(), load_rulebook()
    return SyntheticMarket(7, DAY, *rules, [SENSEX], DefectRates(), history_days=2)


def universe_of(dump: list[Instrument]) -> Universe:
    return Universe(dump, UniverseRules(("BSE:SENSEX",), expiries=1, near_strikes=1), DAY)


def test_its_dumps_make_a_universe_whose_ticks_and_orders_are_those_of_bfo() -> None:
    async def play(client: Client) -> None:
        listed: list[Instrument] = []
        for exchange in ("BSE", "BFO"):
            listed += read_dump(
                (await client.http.get(f"/instruments/{exchange}")).content, exchange
            ).instruments
        universe = universe_of(listed)
        (sensex,) = universe.underlyings
        assert sensex.instrument_token == 265
        quote = (await client.http.get("/quote", params={"i": "BSE:SENSEX"})).json()["data"]
        spots = {265: quote["BSE:SENSEX"]["last_price"]}
        near = sorted(universe.near(spots))
        assert [token & 0xFF for token in near] == [5] * 6
        call = next(one for one in listed if one.instrument_token == near[0])
        assert (call.lot_size, call.exchange, call.segment) == (20, "BFO", "BFO-OPT")
        async with client.socket(265, *near) as socket:
            await client.seconds(5)
            ticks = decode(await frame(socket)).columns(0)
            assert 265 in ticks.instrument_token.tolist()
        await client.buy(
            exchange="BFO", tradingsymbol=call.tradingsymbol, quantity=20, product="NRML"
        )
        await client.seconds(8)
        (trade,) = (await client.http.get("/trades")).json()["data"]
        assert (trade["exchange"], trade["quantity"]) == ("BFO", 20)

    at_desk(play, market())
