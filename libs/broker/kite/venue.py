"""The venues of Kite and of its simulator."""

from collections.abc import Sequence
from decimal import Decimal

from libs.broker.errors import AccountRefused, BrokerError, OrderRefused
from libs.broker.kite.account import KiteAccount
from libs.broker.kite.orders import KiteOrderClient
from libs.broker.kite.rest import KiteRest
from libs.broker.kite.ticker import Ticker
from libs.broker.port.account import NetPosition, Trade
from libs.broker.port.orders import OrderRequest, OrderUpdate
from libs.broker.port.venue import QuoteSource

SIMULATOR = "SIMULATOR"


class KiteVenue:
    """The account's orders: requests by `rest`, updates by a ticker of its own."""

    may_lose_replies = True
    is_real = True

    def __init__(self, rest: KiteRest, ticker: Ticker, client: KiteOrderClient) -> None:
        self._rest = rest
        self._ticker = ticker
        self._client = client
        self._account = KiteAccount(rest)

    async def place(self, request: OrderRequest) -> str:
        """Return Kite's order id; raise OrderRefused, or OrderUnknown when in doubt."""
        return await self._client.place(request)

    async def modify(self, broker_order_id: str, quantity: int, price: Decimal) -> None:
        """Modify an open limit order; raise OrderRefused, or OrderUnknown when in doubt."""
        await self._client.modify(broker_order_id, quantity, price)

    async def cancel(self, broker_order_id: str) -> None:
        """Request a cancellation; it is retried while it fails and the order works."""
        await self._client.cancel(broker_order_id)

    async def orders(self) -> Sequence[OrderUpdate]:
        """Return the day's order book, each order with its trades as fills."""
        return await self._client.orders()

    async def trades(self) -> Sequence[Trade]:
        """Return the day's trade book."""
        return await self._account.trades()

    async def positions(self) -> Sequence[NetPosition]:
        """Return the net positions."""
        return await self._account.positions()

    def take_updates(self) -> Sequence[OrderUpdate]:
        """Return the updates since the last call."""
        return self._client.take_updates()

    def on_quotes(self, quotes: QuoteSource) -> None:
        """Ignore quotes: the exchange fills."""

    async def updated(self) -> None:
        """Return when there are updates."""
        await self._client.updated()

    async def run(self) -> None:
        """Listen and poll until cancelled."""
        await self._client.run()

    async def close(self) -> None:
        """Wait for open requests, and close the connections."""
        await self._ticker.close()
        await self._rest.close()

    def budget(self) -> dict[int, int]:
        """Return how many order requests Kite's limits allow now, by span (ms)."""
        return self._rest.left("orders")

    def describe(self) -> dict[str, int]:
        """Return the client's counts."""
        return self._client.describe()


class SimulatorVenue(KiteVenue):
    """A Kite venue that refuses any account that is not a simulator's."""

    is_real = False

    def __init__(self, rest: KiteRest, ticker: Ticker, client: KiteOrderClient) -> None:
        super().__init__(rest, ticker, client)
        self._is_known = False

    async def place(self, request: OrderRequest) -> str:
        """Place an order; raise OrderRefused if the account is not known to be a simulator's."""
        await self._refuse_where_unknown()
        return await super().place(request)

    async def modify(self, broker_order_id: str, quantity: int, price: Decimal) -> None:
        """Modify an order; raise OrderRefused if the account is not known to be a simulator's."""
        await self._refuse_where_unknown()
        await super().modify(broker_order_id, quantity, price)

    async def cancel(self, broker_order_id: str) -> None:
        """Request a cancellation; raise BrokerError if the account cannot be checked."""
        await self._check_account()
        await super().cancel(broker_order_id)

    async def orders(self) -> Sequence[OrderUpdate]:
        """Return the day's order book; raise AccountRefused if the account is real."""
        await self._check_account()
        return await super().orders()

    async def _refuse_where_unknown(self) -> None:
        try:
            await self._check_account()
        except BrokerError as error:  # nothing was sent
            raise OrderRefused(str(error)) from error

    async def _check_account(self) -> None:
        if not self._is_known:
            broker = await self._account.broker()
            if broker != SIMULATOR:
                raise AccountRefused(
                    f"executor.venue: paper orders go to a simulator only, and this account is at "
                    f'{broker or "nobody"}: use venue = "paper"'
                )
            self._is_known = True
