"""The checks of an entry before it is planned: the exchange's rules, the account, the limits."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from decimal import Decimal

from libs.broker.port import Margin
from libs.events.orders import OrderPlanned
from libs.market.rulebook import Rulebook
from services.executor.domain.option_market import OptionMarket
from services.executor.domain.policy import Policy, Refusal
from services.executor.domain.pretrade.checks import check
from services.executor.domain.pretrade.order import Circumstances, OrderToCheck, TooOld
from services.executor.domain.risk import RiskBook

SEGMENT = "equity"
"""The funds that options are paid from, by Kite's name."""


@dataclass(frozen=True, slots=True)
class EntryChecks:
    """What entries are checked against. A purchase of options needs its whole cost as margin."""

    policy: Policy
    market: OptionMarket
    risk: RiskBook
    rulebook: Rulebook

    def circumstances(
        self,
        plans: tuple[OrderPlanned, ...],
        freeze: int,
        funds: Mapping[str, Margin],
        too_old: TooOld | None,
        clock_off_ms: int,
        silent_since_ms: int,
        now_ms: int,
    ) -> Circumstances:
        """Return what the slices of an entry are checked against."""
        cost = sum((plan.price * plan.quantity for plan in plans), Decimal(0))
        return replace(
            self._known(plans[0], freeze, funds, cost, now_ms),
            too_old=too_old,
            clock_off_ms=clock_off_ms,
            silent_since_ms=silent_since_ms,
        )

    def refusal(self, plans: tuple[OrderPlanned, ...], known: Circumstances) -> Refusal | None:
        """Return the first reason against the slices of an entry, None if they may be planned."""
        said = (check(_to_check(plan), known) for plan in plans)
        return next((refusal for refusal in said if refusal is not None), None)

    def _known(
        self,
        plan: OrderPlanned,
        freeze: int,
        funds: Mapping[str, Margin],
        cost: Decimal,
        now_ms: int,
    ) -> Circumstances:
        contract = plan.contract
        quote = self.market.quotes.quote(contract.instrument_token)
        last = quote.last_price if quote is not None else 0.0
        segment = funds.get(SEGMENT)
        return Circumstances(
            now_ms=now_ms,
            calendar=self.market.calendar,
            rulebook=self.rulebook,
            freeze_quantity=freeze,
            reference_price=Decimal(str(round(last, 2))) if last > 0 else None,
            required_margin=cost,
            available=None if segment is None else segment.available,
            breach=self.risk.breach(contract.underlying, plan.strategy),
            settlement_days=self.policy.entry.before_settlement_days,
            is_index_option=self.market.is_index(contract.underlying),
        )


def _to_check(plan: OrderPlanned) -> OrderToCheck:
    return OrderToCheck(
        contract=plan.contract,
        leg=plan.leg,
        transaction_type=plan.transaction_type,
        quantity=plan.quantity,
        order_type=plan.order_type,
        price=plan.price,
        product=plan.product,
    )
