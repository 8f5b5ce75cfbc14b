"""`alphastocks signals`: the signals of a day, or the whole life of one."""

import urllib.error
import urllib.request
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Annotated, TypeVar
from urllib.parse import urlencode, urlsplit
from uuid import UUID

import typer
from pydantic import BaseModel, ValidationError
from rich.table import Table

from libs.market.calendar import IST
from libs.runtime.direct import DIRECT
from libs.runtime.settings import SettingsError
from libs.runtime.shown import on_one_line
from services.local import screen
from services.local.catalogue import entry_of
from services.local.commands.executor_client import (
    Executor,
    checked_url,
    chosen_executor,
    detail_of,
    token_of_environment,
)
from services.local.commands.options import trading_day
from services.signal.replies import LifeReply, PageReply, StepReply

R = TypeVar("R", bound=BaseModel)
_SECONDS = 20.0
Id = Annotated[
    str | None, typer.Argument(metavar="ID", help="A signal, to see each of its states.")
]


def signals(
    signal_id: Id = None,
    date: Annotated[
        str | None, typer.Option("--date", help="Trading day. [default: the latest]")
    ] = None,
    symbol: Annotated[
        str | None, typer.Option("--symbol", help="A tradingsymbol or an underlying.")
    ] = None,
    last: Annotated[
        int, typer.Option("-n", "--last", min=1, max=1000, help="Number of signals.")
    ] = 20,
    var: Annotated[
        Path | None, typer.Option("--var", help="State folder of the `up` that is meant.")
    ] = None,
    url: Annotated[
        str | None,
        typer.Option(
            "--url", help="The signal service's address. [default: of the `up` that runs]"
        ),
    ] = None,
) -> None:
    """Show the signals of a day, newest first, or of one signal each state with its reason.

    It finds the `up` that runs here. Another service may need the token in
    ALPHASTOCKS_CONTROL_TOKEN.

    Example: `alphastocks signals --symbol NIFTY`
    """
    day = None if date is None else trading_day(date).isoformat()
    wanted = None if signal_id is None else _id(signal_id)
    service = signal_service(url, var)
    if wanted is not None:
        for line in life_lines(_read(LifeReply, service, f"/{wanted}")):
            screen.console.print(on_one_line(line), soft_wrap=True)
        return
    asked = {"day": day, "symbol": symbol, "limit": last}
    given = {key: value for key, value in asked.items() if value is not None}
    _show_page(_read(PageReply, service, f"?{urlencode(given)}"))


def signal_service(url: str | None, var: Path | None) -> Executor:
    """Return the address of the signal service, beside the executor's, and a token."""
    if url is not None:
        return Executor(checked_url(url), token_of_environment())
    executor = chosen_executor(None, var)
    return Executor(beside(executor.url), executor.token)


def beside(executor_url: str) -> str:
    """Return the address of the signal service on the machine of an executor."""
    parts = urlsplit(executor_url)
    if parts.port is None:
        raise SettingsError(f"--url: {executor_url} says no port: name the signal service")
    port = parts.port + entry_of("signal").port_offset - entry_of("executor").port_offset
    return f"{parts.scheme}://{parts.netloc.rpartition(':')[0]}:{port}"


def page_table(page: PageReply) -> Table:
    """Return a table of two lines for each signal, so that it fits 80 columns."""
    table = Table("time\nid", "symbol\nstrategy", "action\nprice", "state\nreason")
    for one in page.signals:
        table.add_row(
            f"{_time(one.at)}\n{one.signal_id}",
            f"{on_one_line(one.tradingsymbol)}\n{on_one_line(one.strategy)}",
            f"{one.action}\n{_price(one.price)}",
            f"{one.state}\n{on_one_line(one.reason)}",
        )
    return table


def life_lines(life: LifeReply) -> Iterator[str]:
    """Yield a signal, and then each of its steps."""
    yield (
        f"{life.strategy} {life.action} {life.tradingsymbol}, {life.trading_day}, "
        f"price {_price(life.price)}, stop {_price(life.stop_loss)}, target {_price(life.target)}"
    )
    for step in life.steps:
        yield _step_line(step)
    for step in life.refused:
        yield f"{_step_line(step)} (does not count)"


def _step_line(step: StepReply) -> str:
    numbers = " ".join(f"{name}={value}" for name, value in step.numbers.items())
    words = (f"{step.at.astimezone(IST):%Y-%m-%d} {_time(step.at)}", f"{step.state:9}")
    return " ".join((*words, step.reason, numbers)).rstrip()


def _show_page(page: PageReply) -> None:
    if page.signals:
        screen.console.print(page_table(page))
    more = "; there are more: --last" if page.next else ""
    day = "so far" if page.day is None else f"of {page.day}"
    screen.console.print(f"{len(page.signals)} signals {day}{more}", soft_wrap=True)


def _read(kind: type[R], service: Executor, path: str) -> R:
    """Return what the service replies; SettingsError if it does not, or says something else."""
    url = f"{service.url}/signals{path}"
    headers = {"Authorization": f"Bearer {service.token}"} if service.token else {}
    request = urllib.request.Request(url, headers=headers)  # noqa: S310  the address is checked
    try:
        with DIRECT.open(request, timeout=_SECONDS) as reply:
            return kind.model_validate_json(reply.read())
    except urllib.error.HTTPError as error:
        raise SettingsError(f"signals: {service.url}: {detail_of(error)}") from None
    except ValidationError:
        raise SettingsError(f"signals: {service.url} is of another version") from None
    except (OSError, ValueError) as error:
        silent = f"no answer from the signal service at {service.url}, which may be starting"
        raise SettingsError(f"signals: {silent}: {error}") from None


def _id(text: str) -> UUID:
    try:
        return UUID(text)
    except ValueError:
        raise SettingsError(f"ID: {text!r} is not the id of a signal") from None


def _price(price: float | None) -> str:
    return "" if price is None else f"{price:,.2f}"


def _time(at: datetime) -> str:
    return f"{at.astimezone(IST):%H:%M:%S}"
