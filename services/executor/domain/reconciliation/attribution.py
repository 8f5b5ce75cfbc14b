"""Whose the day's trades are: they are gone through in their order, trade by trade."""

from collections.abc import Sequence
from dataclasses import dataclass, field

from libs.broker.port import Trade
from services.executor.domain.reconciliation.findings import Correct, Reason
from services.executor.domain.reconciliation.snapshot import ContractKey, OurContract, TradeId


@dataclass(frozen=True, slots=True)
class Step:
    """A trade of the day, and whether an order of ours made it, or one of a flatten."""

    trade: Trade
    is_ours: bool
    is_flatten: bool = False

    @property
    def signed(self) -> int:
        """Units, negative for a sale."""
        return signed(self.trade)

    @property
    def trade_id(self) -> TradeId:
        """What the trade is known by within the day and exchange."""
        return self.trade.broker_order_id, self.trade.fill.fill_id


def signed(trade: Trade) -> int:
    """Return a trade's units, negative for a sale."""
    quantity = trade.fill.quantity
    return quantity if trade.transaction_type == "BUY" else -quantity


@dataclass(slots=True)
class Attribution:
    """Units of ours and of the owner's, after each trade; negative is short."""

    contract: OurContract
    held: int
    manual: int
    corrections: list[Correct] = field(default_factory=list)
    gone_before: int = 0
    covered_before: int = 0

    def __post_init__(self) -> None:
        """Note what nobody can have had when the day began: a long and a short of one contract.

        `gone_before` are units that our books hold and the account does not, `covered_before`
        units that our books are short of and the account is not.
        """
        self.gone_before = max(0, min(self.held, -self.manual))
        self.covered_before = max(0, min(-self.held, self.manual))

    @property
    def missing(self) -> int:
        """Units that our books hold, and that the account does not have."""
        return max(0, min(self.held, -self.manual))

    def go_through(self, steps: Sequence[Step]) -> None:
        """Attribute the trades, the earliest first."""
        for step in sorted(steps, key=lambda one: one.trade.fill.at_ms):
            if step.is_ours:
                self.held += step.signed
            elif step.trade_id in self.contract.booked:
                self._apply(step.signed, self._as_booked(step))
            else:
                self._foreign(step)

    def _as_booked(self, step: Step) -> int:
        """Return what was booked before as ours of this trade: that is a fact by now."""
        booked = self.contract.booked[step.trade_id]
        return booked if step.signed > 0 else -booked

    def _foreign(self, step: Step) -> None:
        manual = 0 if step.is_flatten else self.manual  # a flatten closes what is ours first
        closing = _closing(step.signed, manual, self.held)
        self._apply(step.signed, closing)
        if closing:
            self.corrections.append(_correction(self.contract, step, abs(closing)))

    def _apply(self, whole: int, of_ours: int) -> None:
        self.held += of_ours
        self.manual += whole - of_ours


def _closing(units: int, manual: int, held: int) -> int:
    """Return the part of a manual trade that closes units of ours, signed as the trade is.

    Whatever it can close of the owner's own comes first; what closes nothing opens the owner's.
    """
    left = abs(units) - _closable(units, manual)
    closing = min(left, _closable(units, held))
    return closing if units > 0 else -closing


def _closable(units: int, open_units: int) -> int:
    """Return how many units a trade can close of what is open on the other side."""
    if units * open_units >= 0:
        return 0
    return min(abs(units), abs(open_units))


def _correction(contract: OurContract, step: Step, quantity: int) -> Correct:
    fill = step.trade.fill
    return Correct(
        key=contract.key,
        transaction_type=step.trade.transaction_type,
        quantity=quantity,
        reason=_reason(step, contract.key, contract.square_off_ms),
        price=fill.price,
        trade=step.trade_id,
        at_ms=fill.at_ms,
    )


def _reason(step: Step, key: ContractKey, square_off_ms: int | None) -> Reason:
    if step.is_flatten:
        return "flattened"
    is_late = square_off_ms is not None and step.trade.fill.at_ms >= square_off_ms
    return "square_off" if key.product == "MIS" and is_late else "manual"
