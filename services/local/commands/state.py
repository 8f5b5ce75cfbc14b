"""`alphastocks state`: what the executor does, holds and has used."""

from pydantic import ValidationError

from libs.runtime.settings import SettingsError
from libs.runtime.shown import on_one_line
from services.executor.replies import State
from services.local import screen
from services.local.commands.control import Url, Var, ask
from services.local.commands.executor_client import chosen_executor
from services.local.commands.state_page import positions_table, state_lines


def state(var: Var = None, url: Url = None) -> None:
    """Show mode, halt, results of the day, the used limits, and every open position.

    Example: `alphastocks state`
    """
    executor = chosen_executor(url, var)
    now = _state(ask(executor, var, "state", None), executor.url)
    for line in state_lines(now):
        screen.console.print(on_one_line(line), soft_wrap=True)
    if now.positions:
        screen.console.print(positions_table(now))


def _state(reply: object, url: str) -> State:
    try:
        return State.model_validate(reply)
    except ValidationError as error:
        fields = ", ".join(str(one["loc"][0]) for one in error.errors())
        raise SettingsError(f"state: {url} is of another version: {fields}") from None
