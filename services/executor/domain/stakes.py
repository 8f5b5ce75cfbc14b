"""What may be lost by a policy, in one line."""

from libs.market.rupees import rupees
from services.executor.domain.policy import Policy


def what_may_be_lost(policy: Policy) -> str:
    """Return capital, risk of a trade, positions, risk of all and the loss that ends a day.

    Risk is what a stop loss at its price costs; a price that jumps over it costs more.
    """
    sizing, limits = policy.sizing, policy.limits
    trade, together, day = (
        rupees(sizing.capital * part, paise=False)
        for part in (sizing.risk, limits.capital_at_risk, limits.daily_loss)
    )
    positions = f"{limits.positions} position{'' if limits.positions == 1 else 's'}"
    return (
        f"Capital {rupees(sizing.capital, paise=False)}; at most {trade} at risk in a trade, "
        f"{positions}, {together} together; no entry after a loss of {day} in a day."
    )
