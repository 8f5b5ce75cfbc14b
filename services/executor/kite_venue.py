"""Orders through Kite Connect, which in paper mode must be a simulator."""

from collections.abc import Sequence
from typing import Any

from libs.broker.kite.orders import KiteOrderClient
from libs.broker.kite.rest import KiteRest
from libs.broker.kite.ticker import Ticker
from libs.broker.port import OrderRequest, OrderUpdate
from libs.runtime.clock import Clock, ClockKind
from libs.runtime.kite import kite_rest, kite_ticker
from libs.runtime.logs import logger_of
from libs.runtime.metrics import Metrics
from libs.runtime.settings import KiteSettings, SettingsError

SIMULATOR = "SIMULATOR"


class SimulatedVenue:
    """A Venue that asks the account for its broker first, and refuses any but a simulator."""

    def __init__(self, rest: KiteRest, ticker: Ticker, client: KiteOrderClient) -> None:
        self._rest = rest
        self._ticker = ticker
        self._client = client
        self._is_known = False

    async def place(self, request: OrderRequest) -> str:
        """Send an order; see KiteOrderClient."""
        await self._refuse_real_account()
        return await self._client.place(request)

    async def cancel(self, broker_order_id: str) -> None:
        """Ask for a cancellation."""
        await self._refuse_real_account()
        await self._client.cancel(broker_order_id)

    async def orders(self) -> Sequence[OrderUpdate]:
        """Return the day's order book; SettingsError where the account is real."""
        await self._refuse_real_account()
        return await self._client.orders()

    def take_updates(self) -> Sequence[OrderUpdate]:
        """Return the updates since the last call."""
        return self._client.take_updates()

    async def updated(self) -> None:
        """Return when there are updates."""
        await self._client.updated()

    async def run(self) -> None:
        """Listen and poll until cancelled."""
        await self._client.run()

    async def close(self) -> None:
        """Wait for requests on their way, and close the connections."""
        await self._ticker.close()
        await self._rest.close()

    def budget(self) -> dict[int, int]:
        """Return how many order requests Kite takes now, by the span that it counts (ms)."""
        return self._rest.left("orders")

    def describe(self) -> dict[str, Any]:
        """Return the client's counts."""
        return self._client.describe()

    async def _refuse_real_account(self) -> None:
        if not self._is_known:
            broker = (await self._rest.profile())["broker"]
            if broker != SIMULATOR:
                raise SettingsError(
                    f"executor.venue: paper orders go to a simulator only, and this account is at "
                    f'{broker}: use venue = "paper"'
                )
            self._is_known = True


def make_kite_venue(
    settings: KiteSettings, kind: ClockKind, clock: Clock, metrics: Metrics | None = None
) -> SimulatedVenue:
    """Return the venue of paper mode at a simulator of Kite."""
    rest, ticker = kite_rest(settings, kind, metrics), kite_ticker(settings, kind, "executor")
    client = KiteOrderClient(
        rest,
        ticker,
        poll_seconds=settings.poll_seconds,
        now_ms=clock.now_ms,
        log=logger_of("executor"),
    )
    return SimulatedVenue(rest, ticker, client)
