"""The broker of the settings for a flatten: its venue and its prices, and nothing else."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from libs.broker.errors import AccountRefused
from libs.market.calendar import day_in_india
from libs.market.rulebook import load_rulebook
from libs.runtime.brokers.market import connect_market
from libs.runtime.brokers.orders import connect_venue
from libs.runtime.brokers.registry import BrokerSections
from libs.runtime.brokers.surroundings import surroundings
from libs.runtime.clock import ClockKind, WallClock, monotonic_ms
from libs.runtime.kite import kite_address
from libs.runtime.settings import SettingsError
from services.executor.settings import ExecutorProcess
from services.local.flatten.plan import Scope
from services.local.flatten.rounds import Limits, Rounds


def chosen_venue(settings: ExecutorProcess, named: str | None) -> str:
    """Return the broker's name; SettingsError where no account outlives a process."""
    name = named or settings.executor.venue_name
    if name == "paper":
        raise SettingsError(
            "executor.venue: paper has no account at a broker, so there is nothing to flatten: "
            "`alphastocks exit` closes paper positions; name another account by --venue kite"
        )
    return name


@asynccontextmanager
async def desk(
    settings: ExecutorProcess, venue_name: str, tell: Callable[[str], None], seconds: float
) -> AsyncIterator[Rounds]:
    """Yield rounds on the broker's account; AccountRefused if it may not be traded so."""
    clock = WallClock()
    kind: ClockKind = "feed" if kite_address(settings.kite).is_local else "wall"
    around = surroundings("flatten", kind, clock)
    sections = BrokerSections(kite=settings.kite, paper=settings.executor.paper)
    venue = connect_venue(venue_name, sections, around)
    market = connect_market(venue_name, sections, around).market_data()
    doubt_ms = settings.executor.orders.doubt_ms
    try:
        yield Rounds(
            venue,
            market,
            Scope(),
            load_rulebook(),
            day_in_india(clock.now_ms()),
            tell,
            monotonic_ms,
            clock.now_ms,
            rules=settings.executor.ladder,
            limits=Limits(seconds, doubt_ms / 1000, doubt_ms),
        )
    except AccountRefused as error:
        raise SettingsError(f"{error}; for the real account: --venue kite") from None
    finally:
        await asyncio.gather(venue.close(), market.close())
