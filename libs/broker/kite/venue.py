"""The venues of Kite and of its simulator."""

from collections.abc import Mapping, Sequence
from decimal import Decimal

from libs.broker.errors import AccountRefused, BrokerError, OrderRefused
from libs.broker.kite.account import KiteAccount
from libs.broker.kite.orders import KiteOrderClient
from libs.broker.kite.replies import not_sent
from libs.broker.kite.rest import KiteRest
from libs.broker.kite.ticker import Ticker
from libs.broker.port.account import ContractState, Margin, NetPosition, Trade, Unreadable
from libs.broker.port.orders import MaySend, OrderRequest, OrderUpdate, always
from libs.broker.port.session import Session
from libs.broker.port.venue import QuoteSource
from libs.market.instruments import Instrument

SIMULATOR = "SIMULATOR"


class KiteVenue:
    """The account's orders: requests by `rest`, updates by a ticker of its own."""

    may_lose_replies = True
    is_real = True

    def __init__(self, rest: KiteRest, ticker: Ticker, client: KiteOrderClient) -> None:
        self._rest = rest
        self._ticker = ticker
        self._client = client
        self._account = KiteAccount(rest, client.rows)

    async def place(self, request: OrderRequest, may_send: MaySend = always) -> str:
        """Return Kite's order id; raise OrderRefused, OrderNotSent, or OrderUnknown in doubt."""
        return await self._client.place(request, may_send)

    async def modify(
        self,
        broker_order_id: str,
        quantity: int,
        price: Decimal,
        trigger_price: Decimal = Decimal(0),
    ) -> None:
        """Modify an open order; raise OrderRefused, OrderNotSent, or OrderUnknown in doubt."""
        await self._client.modify(broker_order_id, quantity, price, trigger_price)

    async def cancel(self, broker_order_id: str) -> None:
        """Request a cancellation; it is retried while it fails and the order works."""
        await self._client.cancel(broker_order_id)

    async def orders(self) -> Sequence[OrderUpdate]:
        """Return the day's order book, each order with its trades as fills."""
        return await self._client.orders()

    def modifications_left(self, broker_order_id: str) -> int:
        """Return how often an order may still be modified."""
        return self._client.modifications_left(broker_order_id)

    def unreadable(self) -> Sequence[Unreadable]:
        """Return what could not be read when each book was read last."""
        return self._account.unreadable()

    async def trades(self) -> Sequence[Trade]:
        """Return the day's trade book."""
        return await self._account.trades()

    async def positions(self) -> Sequence[NetPosition]:
        """Return the net positions."""
        return await self._account.positions()

    async def contract(self, exchange: str, tradingsymbol: str) -> ContractState:
        """Return what is held of a contract, and its open orders."""
        return await self._account.contract(exchange, tradingsymbol)

    async def required_margin(self, request: OrderRequest) -> Decimal | None:
        """Return the margin of an order by Kite's calculator."""
        return await self._account.required_margin(request)

    async def margins(self) -> Mapping[str, Margin]:
        """Return the funds by segment."""
        return await self._account.margins()

    def take_updates(self) -> Sequence[OrderUpdate]:
        """Return the updates since the last call."""
        return self._client.take_updates()

    def session(self) -> Session:
        """Return the session; SessionError where there is none, or Kite has refused it."""
        return self._rest.session()

    def begin_with(self, held: Sequence[NetPosition], past: Sequence[OrderUpdate]) -> None:
        """Ignore the books: the broker knows what the account has."""

    def list_instrument(self, instrument: Instrument) -> None:
        """Do nothing: the exchange knows its instruments."""

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

    async def place(self, request: OrderRequest, may_send: MaySend = always) -> str:
        """Place an order; raise OrderRefused if the account is not a simulator's."""
        await self._refuse_where_unknown()
        return await super().place(request, may_send)

    async def modify(
        self,
        broker_order_id: str,
        quantity: int,
        price: Decimal,
        trigger_price: Decimal = Decimal(0),
    ) -> None:
        """Modify an order; raise OrderRefused if the account is not a simulator's."""
        await self._refuse_where_unknown()
        await super().modify(broker_order_id, quantity, price, trigger_price)

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
        except AccountRefused as error:
            raise OrderRefused(str(error)) from error
        except BrokerError as error:
            raise not_sent(error) from error

    async def _check_account(self) -> None:
        if not self._is_known:
            broker = await self._account.broker()
            if broker != SIMULATOR:
                raise AccountRefused(
                    f"executor.venue: paper orders go to a simulator only, and this account is at "
                    f'{broker or "nobody"}: use venue = "paper"'
                )
            self._is_known = True
