"""The plan of a flatten on the screen."""

from collections.abc import Iterator, Mapping

from rich.table import Table

from services.local.flatten.account import ContractKey, key_of
from services.local.flatten.plan import FlattenPlan


def plan_table(plan: FlattenPlan) -> Table:
    """Return one row for each order to cancel and each contract to close."""
    table = Table("what", "contract", "units", "the account has")
    for order in plan.cancels:
        units = f"{order.transaction_type or '?'} {order.working_quantity}"
        table.add_row("cancel", str(key_of(order)), units, order.broker_order_id)
    for target in plan.targets:
        what = "sell" if target.net > 0 else "buy back"
        blocked = f"; {target.blocked} are in an order by hand" if target.blocked else ""
        table.add_row(what, str(target.key), f"{abs(target.units)}{blocked}", str(target.net))
    return table


def plan_lines(plan: FlattenPlan) -> Iterator[str]:
    """Yield what a person has to know of what is not closed."""
    if plan.unknown:
        yield (
            f"Held, and not bought by orders of ours today: {_named(plan.unknown)}. Whether it is "
            "ours of an earlier day is not known here: name what is to be closed by --contract "
            "SYMBOL, or pass --all."
        )
    if plan.by_hand:
        yield f"Not ours, and left alone: {_named(plan.by_hand)}."
    if plan.untradable:
        yield f"In a product that is closed by hand only, at the broker: {_named(plan.untradable)}."


def _named(units: Mapping[ContractKey, int]) -> str:
    return ", ".join(f"{net} {key}" for key, net in units.items())
