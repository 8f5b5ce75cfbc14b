"""The states of a position: each fill or mark makes the next event from the last one."""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import TypeAlias
from uuid import UUID

from libs.events.event import Envelope, utc_from_ms
from libs.events.orders import OrderFilled
from libs.events.positions import (
    ExitReason,
    PositionClosed,
    PositionEvent,
    PositionOpened,
    PositionUpdated,
    fill_key,
)
from libs.market.calendar import day_in_india
from libs.market.rulebook import Rulebook
from services.position.domain.ledger import TradeLedger
from services.position.domain.levels import Levels, levels_after
from services.position.domain.watch import Watch, money

Kind: TypeAlias = type[PositionOpened] | type[PositionUpdated] | type[PositionClosed]
Terms: TypeAlias = OrderFilled | PositionEvent
"""The source of a position's fixed fields: contract and signal."""


@dataclass(frozen=True, slots=True)
class Prices:
    """The latest price and the extremes since the opening, in rupees."""

    last: Decimal
    highest: Decimal
    lowest: Decimal


@dataclass(frozen=True, slots=True)
class History:
    """When a position opened and closed, why, and by which fills and orders."""

    opened_at: datetime
    closed_at: datetime | None
    exit_reason: ExitReason | None
    fill_ids: tuple[str, ...]
    order_ids: tuple[UUID, ...]
    openings: int


def after_fill(
    held: Watch | None,
    fill: OrderFilled,
    exit_reason: ExitReason,
    rulebook: Rulebook,
    closed: PositionClosed | None = None,
    exit_price: Decimal | None = None,
) -> PositionEvent:
    """Return the position after a fill; if nothing is held any more, closed for `exit_reason`.

    `exit_price` is the price at which a sale was decided on, rupees; None: not known. A late fill
    of a position that was `closed` opens it again, with an account of its own.
    """
    before = held.state if held else closed
    decided_price = fill.premium if fill.leg == "entry" else exit_price
    ledger = _ledger(held, before, fill, rulebook, decided_price)
    kind = _kind(held, ledger)
    envelope = kind.after(fill, fill_key(fill))
    history = _history(held, before, fill, exit_reason if kind is PositionClosed else None)
    levels = levels_after(before, fill, ledger.entry_price)
    if held is not None and held.state.planned_stop is not None:
        levels = levels.lifted(held.state.stop_loss)
    return _state(kind, envelope, fill, levels, ledger, _prices(held, fill), history)


def marked(held: Watch, now_ms: int, stop: Decimal) -> PositionEvent:
    """Return the position at its latest price, with a stop loss of at least `stop` (rupees).

    It belongs to the day of `now_ms`: what is made over night counts on the day that makes it.
    """
    state = held.state
    envelope = PositionUpdated.after(
        *(state, state.position_id, now_ms),
        occurred_at=utc_from_ms(now_ms),
        trading_day=day_in_india(now_ms),
    )
    prices = Prices(money(held.last_price), money(held.highest), money(held.lowest))
    history = History(
        opened_at=state.opened_at,
        closed_at=state.closed_at,
        exit_reason=state.exit_reason,
        fill_ids=state.fill_ids,
        order_ids=state.order_ids,
        openings=state.openings,
    )
    levels = Levels.of(state).lifted(stop)
    return _state(PositionUpdated, envelope, state, levels, TradeLedger.of(state), prices, history)


def _kind(held: Watch | None, ledger: TradeLedger) -> Kind:
    if held is None:
        return PositionOpened
    return PositionUpdated if ledger.quantity else PositionClosed


def _ledger(
    held: Watch | None,
    before: PositionEvent | None,
    fill: OrderFilled,
    rulebook: Rulebook,
    decided_price: Decimal | None,
) -> TradeLedger:
    account = TradeLedger.of(held.state) if held else _emptied(before)
    is_first = before is None or fill.order_id not in before.order_ids
    return account.add(
        fill, is_first_of_order=is_first, rules=rulebook, decided_price=decided_price
    )


def _emptied(before: PositionEvent | None) -> TradeLedger:
    """Return a new account; an order that goes on filling in it was charged in the earlier one."""
    return TradeLedger(part_filled=before.part_filled) if before else TradeLedger()


def _prices(held: Watch | None, fill: OrderFilled) -> Prices:
    price = float(fill.fill_price)
    highest = max(held.highest, price) if held else price
    lowest = min(held.lowest, price) if held else price
    return Prices(fill.fill_price, money(highest), money(lowest))


def _history(
    held: Watch | None,
    before: PositionEvent | None,
    fill: OrderFilled,
    exit_reason: ExitReason | None,
) -> History:
    fills, orders = (before.fill_ids, before.order_ids) if before else ((), ())
    return History(
        opened_at=held.state.opened_at if held else fill.occurred_at,
        closed_at=fill.occurred_at if exit_reason else None,
        exit_reason=exit_reason,
        fill_ids=(*fills, fill_key(fill)),
        order_ids=tuple(dict.fromkeys((*orders, fill.order_id))),
        openings=_openings(held, before),
    )


def _openings(held: Watch | None, before: PositionEvent | None) -> int:
    return before.openings + (held is None) if before else 1


def _state(
    kind: Kind,
    envelope: Envelope,
    terms: Terms,
    levels: Levels,
    ledger: TradeLedger,
    prices: Prices,
    history: History,
) -> PositionEvent:
    """Return the event that holds a position's whole state."""
    return kind(
        **envelope,
        position_id=terms.position_id,
        signal_id=terms.signal_id,
        strategy=terms.strategy,
        underlying=terms.underlying,
        action=terms.action,
        tradingsymbol=terms.tradingsymbol,
        contract=terms.contract,
        mode=terms.mode,
        quantity=ledger.quantity,
        bought_quantity=ledger.bought_quantity,
        sold_quantity=ledger.sold_quantity,
        buy_value=ledger.buy_value,
        sell_value=ledger.sell_value,
        entry_price=ledger.entry_price,
        exit_price=ledger.exit_price,
        last_price=prices.last,
        highest_price=prices.highest,
        lowest_price=prices.lowest,
        stop_loss=levels.stop_loss,
        target=levels.target,
        realised=ledger.realised,
        unrealised=ledger.unrealised(prices.last),
        charges=ledger.charges,
        charges_are_exact=ledger.charges_are_exact,
        net=ledger.realised - ledger.charges,
        opened_at=history.opened_at,
        closed_at=history.closed_at,
        exit_reason=history.exit_reason,
        fill_ids=history.fill_ids,
        order_ids=history.order_ids,
        openings=history.openings,
        exit_plan=levels.exit_plan,
        planned_stop=levels.planned_stop,
        part_filled=dict(ledger.part_filled),
        entry_slippage=ledger.entry_slippage,
        exit_slippage=ledger.exit_slippage,
    )
