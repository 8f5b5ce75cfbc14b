"""What may be lost by the settings, for a person and for the log."""

from decimal import Decimal
from typing import NamedTuple

from libs.market.rupees import rupees
from services.executor.domain.policy import Policy


class Stakes(NamedTuple):
    """What may be lost, rupees: in a trade, in all positions together, and by day.

    Risk is what a stop loss at its price costs; a price that jumps over it costs more.
    """

    capital: Decimal
    risk_a_trade: Decimal
    positions: int
    capital_at_risk: Decimal
    daily_loss: Decimal

    @property
    def line(self) -> str:
        """Capital, risk of a trade, positions, risk of all and the loss that ends a day."""
        capital, trade, together, day = (
            rupees(amount, paise=False)
            for amount in (self.capital, self.risk_a_trade, self.capital_at_risk, self.daily_loss)
        )
        positions = f"{self.positions} position{'' if self.positions == 1 else 's'}"
        return (
            f"Capital {capital}; at most {trade} at risk in a trade, "
            f"{positions}, {together} together; no entry after a loss of {day} in a day."
        )


def stakes_of(policy: Policy) -> Stakes:
    """Return what may be lost by a policy."""
    capital, limits = policy.sizing.capital, policy.limits
    return Stakes(
        capital=capital,
        risk_a_trade=capital * max(one.risk for one in policy.in_use.values()),
        positions=limits.positions,
        capital_at_risk=capital * limits.capital_at_risk,
        daily_loss=capital * limits.daily_loss,
    )
