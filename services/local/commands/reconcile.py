"""`alphastocks reconcile`: whether our books and the broker's account agree."""

from pydantic import ValidationError

from libs.runtime.settings import SettingsError
from services.executor.reconciliation_reply import Reconciliation
from services.local import screen
from services.local.commands.control import Url, Var, ask
from services.local.commands.executor_client import chosen_executor
from services.local.commands.reconcile_page import contracts_table, reconciliation_lines


def reconcile(var: Var = None, url: Url = None) -> None:
    """Show what the executor found when it last compared its books with the broker's account.

    It does so at its start, each minute and after each reconnect. A contract agrees, is adopted or
    corrected, or is unexplained: then no position is opened in its underlying.

    Example: `alphastocks reconcile`
    """
    executor = chosen_executor(url, var)
    found = _reconciliation(ask(executor, var, "reconciliation", None), executor.url)
    for line in reconciliation_lines(found):
        screen.console.print(line, soft_wrap=True, markup=False)
    if found.contracts:
        screen.console.print(contracts_table(found))


def _reconciliation(reply: object, url: str) -> Reconciliation:
    try:
        return Reconciliation.model_validate(reply)
    except ValidationError as error:
        fields = ", ".join(str(one["loc"][0]) for one in error.errors())
        raise SettingsError(f"reconcile: {url} is of another version: {fields}") from None
