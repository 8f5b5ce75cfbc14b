"""Follows the account's orders by the ticker's postbacks, and polls the order book to be sure."""

import asyncio
from collections.abc import Callable, Iterable
from contextlib import suppress
from typing import Any

import structlog

from libs.broker.errors import BrokerError, ReplyUnreadable, RequestRefused, SessionError
from libs.broker.kite.backoff import Backoff
from libs.broker.kite.book import OrderBook
from libs.broker.kite.rest import KiteRest
from libs.broker.kite.ticker import Ticker
from libs.broker.kite.unreadable import UnreadableRows, as_row
from libs.broker.kite.usage import Usage
from libs.broker.port.account import Unreadable
from libs.broker.port.orders import OrderRequest, OrderUpdate
from libs.market.calendar import day_in_india, midnight_ms

_SESSION_SECONDS = 1.0
_FIRST_TRADES_SECONDS = 0.1
_TRADES_TRIES = 5


class OrderWatch:
    """Collects updates while `run` runs; its state survives a restart of `run`.

    The order book is read at the start, after each connection of the ticker, and every
    `poll_seconds` while an order works, a placing is in doubt, a cancellation is pending, or a fill
    lacks its trades. A fill whose trades do not come for `fill_seconds` is told from its order.
    """

    def __init__(
        self,
        rest: KiteRest,
        ticker: Ticker | None,
        poll_seconds: float,
        fill_seconds: float,
        now_ms: Callable[[], int],
        log: structlog.typing.FilteringBoundLogger,
    ) -> None:
        self._rest = rest
        self._ticker = ticker
        self._poll_seconds = poll_seconds
        self._fill_seconds = fill_seconds
        self._now_ms = now_ms
        self._log = log
        self._book = OrderBook()
        self._rows = UnreadableRows(log)
        self._usage = Usage(rest, now_ms, log)
        self._waiting_for_trades: dict[str, asyncio.TimerHandle] = {}
        self._told_from_orders: set[str] = set()
        self._doubtful_tags: set[str] = set()
        self._unsettled_cancels: set[str] = set()
        self._updates: list[OrderUpdate] = []
        self._has_updates = asyncio.Event()
        self._stirred = asyncio.Event()
        self._is_poll_due = True
        self._polled_at = 0.0
        self._trades_backoff = Backoff(_FIRST_TRADES_SECONDS, poll_seconds)
        self._without_session: set[str] = set()
        self._counts = dict.fromkeys(("updates", "postbacks", "polls", "without_trades"), 0)
        if ticker is not None:
            ticker.on_order = self._on_postback
            ticker.on_connect = self._poll_soon

    def doubt(self, tag: str) -> None:
        """Look for an order with this tag until it is found or `settle` is called."""
        self._book.own(tag)
        self._usage.own(tag)
        self._doubtful_tags.add(tag)
        self._stirred.set()

    def settle(self, tag: str) -> None:
        """Stop looking for this tag."""
        self._doubtful_tags.discard(tag)

    def expect(self, broker_order_id: str, request: OrderRequest) -> None:
        """Follow an order that was placed."""
        self._book.expect(broker_order_id, request)
        self._stirred.set()

    def modify(self, broker_order_id: str) -> None:
        """Note that an order is about to be changed; one more change is counted."""
        self._usage.modify(broker_order_id)
        self._book.modify(broker_order_id)

    def give_back_modification(self, broker_order_id: str) -> None:
        """Count a change that was certainly not sent no longer."""
        self._usage.give_back(broker_order_id)

    def modifications_left(self, broker_order_id: str) -> int:
        """Return how often an order may still be modified."""
        return self._usage.modifications_left(broker_order_id)

    def begin_day(self) -> None:
        """Count requests and modifications anew on a new day."""
        self._usage.begin_day()

    @property
    def rows(self) -> UnreadableRows:
        """Where rows that cannot be read are noted."""
        return self._rows

    def cancel(self, broker_order_id: str) -> None:
        """Note that a cancellation is about to be asked for."""
        self._book.cancel(broker_order_id)

    def cancel_again(self, broker_order_id: str) -> None:
        """Retry a cancellation until Kite accepts it or the order's status is final."""
        self._unsettled_cancels.add(broker_order_id)
        self._poll_soon()

    def take(self) -> list[OrderUpdate]:
        """Return the updates since the last call."""
        updates, self._updates = self._updates, []
        self._has_updates.clear()
        return updates

    async def updated(self) -> None:
        """Wait until there are updates to take."""
        await self._has_updates.wait()

    def describe(self) -> dict[str, int]:
        """Return counts of updates and of their sources.

        `pending` updates wait for their trades, or to be taken.
        """
        reconnects = self._ticker.counters.reconnects if self._ticker is not None else 0
        pending = len(self._book.lacking()) + len(self._updates)
        counts = {**self._counts, "unreadable": self._rows.met}
        return {**counts, "reconnects": reconnects, "pending": pending}

    async def joined(self) -> list[OrderUpdate]:
        """Return the current order book, joined with its trades.

        Raises what the requests raise, and ReplyUnreadable if an order of ours cannot be read or
        its fills cannot be told: a caller must not take such an order for missing.
        """
        left_out = await self._read_book()
        for _ in range(_TRADES_TRIES):
            await self._read_missing_trades()
            if not self._book.lacking():
                break
            await asyncio.sleep(self._trades_backoff.next_seconds())
        self._trades_backoff.reset()
        for order_id in self._book.lacking():
            self._tell_from_order(order_id)
        self._hand_on()
        ours = [one for one in left_out if self._book.is_ours(one.broker_order_id, one.tag)]
        if ours:
            named = ", ".join(one.broker_order_id or one.tag for one in ours)
            raise ReplyUnreadable(f"orders of ours cannot be read: {named}")
        if lacking := self._book.lacking():
            raise ReplyUnreadable(f"the trades of {', '.join(lacking)} do not add up yet")
        return self._book.updates()

    async def run(self) -> None:
        """Follow the orders until cancelled; errors of the broker are retried."""
        self._poll_soon()
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self._check_for_ever())
            if self._ticker is not None:
                tasks.create_task(self._listen_for_ever(self._ticker))

    async def _listen_for_ever(self, ticker: Ticker) -> None:
        while True:
            try:
                async for _ in ticker.frames():
                    self._on_session("ticker", None)
                return
            except SessionError as error:
                self._on_session("ticker", error)
                await asyncio.sleep(_SESSION_SECONDS)

    async def _check_for_ever(self) -> None:
        backoff = Backoff(_FIRST_TRADES_SECONDS, self._poll_seconds)
        while True:
            await self._wait_until_something_is_due()
            try:
                await self._check()
                backoff.reset()
            except SessionError as error:
                self._on_session("requests", error)
                self._poll_soon()
                await asyncio.sleep(_SESSION_SECONDS)
            except BrokerError as error:
                self._log.warning("orders cannot be checked", error=str(error))
                self._poll_soon()
                await asyncio.sleep(backoff.next_seconds())

    async def _wait_until_something_is_due(self) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(self._wait_seconds()):
                await self._stirred.wait()
        self._stirred.clear()

    def _wait_seconds(self) -> float | None:
        if self._book.lacking():
            return self._trades_backoff.next_seconds()
        if not self._is_watching():
            return None
        return max(0.0, self._polled_at + self._poll_seconds - _now())

    def _is_watching(self) -> bool:
        is_pending = self._doubtful_tags or self._unsettled_cancels or self._told_from_orders
        return bool(self._book.is_working or is_pending)

    async def _check(self) -> None:
        is_time = self._is_watching() and _now() >= self._polled_at + self._poll_seconds
        is_poll = self._is_poll_due or is_time
        if is_poll:
            await self._read_book()
        await self._read_missing_trades()
        self._hand_on()
        if is_poll and not self._is_poll_due:  # else the book is older than the cancellation
            await self._repeat_cancels()

    async def _read_book(self) -> list[Unreadable]:
        """Merge the whole book; return those of its orders that cannot be read."""
        self._is_poll_due = False
        self._polled_at = _now()
        try:
            # Trades after orders: then they include all fills that the orders show.
            rows, trades = await self._rest.orders(), await self._trades()
        except BaseException:
            self._is_poll_due = True
            raise
        self._rows.begin("order")
        self._take_trades(trades)
        left_out = [one for one in map(self._take_order, rows) if one is not None]
        self._counts["polls"] += 1
        self._on_session("requests", None)
        self._doubtful_tags = {tag for tag in self._doubtful_tags if not self._book.has_tag(tag)}
        self._book.end_days_before(*self._day_of(rows))
        await self._usage.count(rows)
        return left_out

    def _day_of(self, rows: Iterable[object]) -> tuple[int, set[str]]:
        """Return when the day began (epoch ms), and the ids of the orders that its book lists."""
        day = day_in_india(self._now_ms())
        listed = {str(row.get("order_id")) for row in rows if isinstance(row, dict)}
        return midnight_ms(day), listed

    async def _trades(self) -> list[Any]:
        """Return the day's trades; none if the reply cannot be read: orders tell their fills."""
        try:
            trades = await self._rest.trades()
        except ReplyUnreadable as error:
            self._rows.begin("trade")
            self._rows.note("trade", None, error)
            return []
        self._rows.begin("trade")
        return trades

    async def _read_missing_trades(self) -> None:
        for order_id in self._book.lacking():
            try:
                self._take_trades(await self._rest.order_trades(order_id))
            except (ReplyUnreadable, RequestRefused) as error:
                self._rows.note("trade", {"order_id": order_id}, ReplyUnreadable(str(error)))
        if not self._book.lacking():
            self._trades_backoff.reset()

    async def _repeat_cancels(self) -> None:
        for order_id in sorted(self._unsettled_cancels):
            if not self._book.is_final(order_id):
                try:
                    await self._rest.cancel_order(order_id)
                except RequestRefused as error:
                    self._log.warning("cancellation refused", order_id=order_id, error=str(error))
                    continue
            self._unsettled_cancels.discard(order_id)

    def _on_postback(self, row: dict[str, Any]) -> None:
        self._counts["postbacks"] += 1
        self._take_order(row)
        self._hand_on()
        self._stirred.set()

    def _poll_soon(self) -> None:
        self._is_poll_due = True
        self._stirred.set()

    def _take_order(self, row: object) -> Unreadable | None:
        """Merge a row; return its name if it cannot be read."""
        try:
            self._book.take_order(as_row(row, "order"), self._now_ms())
        except ReplyUnreadable as error:
            return self._rows.note("order", row, error)
        self._await_trades()
        return None

    def _take_trades(self, rows: Iterable[object]) -> None:
        for row in rows:
            try:
                self._book.take_trades([as_row(row, "trade")])
            except ReplyUnreadable as error:
                self._rows.note("trade", row, error)
        self._note_confirmed()

    def _await_trades(self) -> None:
        """Give the trades of each fill some time to come."""
        loop = asyncio.get_running_loop()
        for order_id in self._book.lacking():
            if order_id not in self._waiting_for_trades:
                waiting = loop.call_later(self._fill_seconds, self._stop_waiting, order_id)
                self._waiting_for_trades[order_id] = waiting

    def _stop_waiting(self, broker_order_id: str) -> None:
        del self._waiting_for_trades[broker_order_id]
        if broker_order_id in self._book.lacking():
            self._tell_from_order(broker_order_id)
            self._hand_on()
            self._stirred.set()

    def _tell_from_order(self, broker_order_id: str) -> None:
        fill = self._book.fill_up(broker_order_id)
        if fill is None:
            return
        self._told_from_orders.add(broker_order_id)
        self._counts["without_trades"] += 1
        self._log.warning(
            "a fill is told without its trades",
            order_id=broker_order_id,
            quantity=fill.quantity,
            price=float(fill.price),
        )

    def _note_confirmed(self) -> None:
        for order_id in self._told_from_orders - set(self._book.unconfirmed()):
            self._told_from_orders.discard(order_id)
            difference = float(self._book.difference(order_id))
            self._log.info("trades confirm a fill", order_id=order_id, difference=difference)

    def _hand_on(self) -> None:
        news = self._book.news()
        if news:
            self._updates += news
            self._counts["updates"] += len(news)
            self._has_updates.set()

    def _on_session(self, user: str, error: SessionError | None) -> None:
        """Log once that the session has expired, and once that all users have a new one."""
        if error is not None:
            if not self._without_session:
                self._log.error("waiting for a new session", error=str(error))
            self._without_session.add(user)
        elif user in self._without_session:
            self._without_session.discard(user)
            if not self._without_session:
                self._log.info("there is a session again")


def _now() -> float:
    return asyncio.get_running_loop().time()
