"""A trade as a position: what the executor's limits and the exit rules see of it."""

from datetime import date
from decimal import Decimal
from typing import Any

from libs.events.event import utc_from_ms
from libs.events.positions import PositionClosed, PositionOpened
from libs.events.signals import SignalGenerated
from libs.market.charges import TransactionType, option_charges
from libs.market.rulebook import Rulebook
from services.executor.domain.decision import Trade
from services.executor.domain.plans import position_id_of, slices
from services.executor.domain.risk import RiskBook
from services.local.backtest.trade import ExitReason


def opened(signal: SignalGenerated, bought: Trade, at_ms: int, day: date) -> PositionOpened:
    """Return the position of an entry that was filled whole at its premium."""
    at, premium, quantity = utc_from_ms(at_ms), bought.premium, bought.quantity
    envelope = PositionOpened.after(signal, signal.signal_id, occurred_at=at, trading_day=day)
    return PositionOpened(
        **envelope,
        position_id=position_id_of(signal.signal_id),
        signal_id=signal.signal_id,
        strategy=signal.strategy,
        underlying=signal.underlying,
        action=signal.action,
        tradingsymbol=signal.tradingsymbol,
        contract=bought.contract,
        mode="paper",
        quantity=quantity,
        bought_quantity=quantity,
        sold_quantity=0,
        buy_value=premium * quantity,
        sell_value=Decimal(0),
        entry_price=premium,
        exit_price=None,
        last_price=premium,
        highest_price=premium,
        lowest_price=premium,
        stop_loss=bought.levels.stop_loss,
        target=bought.levels.target,
        realised=Decimal(0),
        unrealised=Decimal(0),
        charges=Decimal(0),
        charges_are_exact=True,
        net=Decimal(0),
        opened_at=at,
        fill_ids=("entry",),
        order_ids=(),
        exit_plan=bought.exit_plan,
    )


def closed(
    position: PositionOpened, net: Decimal, at_ms: int, day: date, reason: ExitReason
) -> PositionClosed:
    """Return the end of a position: `net` is its profit after charges, rupees."""
    at = utc_from_ms(at_ms)
    envelope = PositionClosed.after(position, position.position_id, occurred_at=at, trading_day=day)
    sold: dict[str, Any] = {
        "type": "PositionClosed",
        "quantity": 0,
        "sold_quantity": position.bought_quantity,
        "net": net,
        "closed_at": at,
        "exit_reason": None if reason == "end_of_data" else reason,
        "fill_ids": ("entry", "exit"),
    }
    return PositionClosed(**(dict(position) | dict(envelope) | sold))


def enter(risk: RiskBook, position: PositionOpened, bought: Trade, day: date) -> None:
    """Let an entry and its fill count against the limits."""
    distance = bought.limit - bought.levels.stop_loss
    quantity, strategy = bought.quantity, position.strategy
    risk.enter(position.position_id, position.underlying, quantity, distance, day, strategy)
    risk.on_event(position)


def charges(
    rulebook: Rulebook,
    bought: Trade,
    transaction_type: TransactionType,
    price: Decimal,
    day: date,
) -> Decimal:
    """Return the charges of one side in rupees, by the day's rates and freeze quantity."""
    contract, rates = bought.contract, rulebook.charges(day).value
    freeze = rulebook.freeze_quantity(contract.underlying, day).value
    orders = slices(bought.quantity, contract.lot_size, freeze)
    each = (option_charges(rates, transaction_type, price * size).total for size in orders)
    return sum(each, Decimal(0))
