"""`alphastocks flatten`: closes what is held, with the broker alone.

It is for an emergency: it needs no bus, no database and no service, and imports little.
"""

import asyncio
import secrets
from datetime import datetime
from getpass import getuser
from pathlib import Path
from socket import gethostname
from typing import Annotated

import typer

from libs.broker.errors import SessionError
from libs.broker.kite.session import KiteSession, SessionFile
from libs.market.calendar import IST
from libs.market.names import unknown
from libs.runtime.brokers.registry import CONNECTORS
from libs.runtime.clock import WallClock
from libs.runtime.logs import configure_logs
from libs.runtime.settings import SettingsError, load_settings
from services.executor.settings import ExecutorProcess
from services.local import screen
from services.local.commands.control import Url, Var, ask
from services.local.commands.executor_client import checked_url, chosen_executor
from services.local.commands.flatten_page import plan_lines, plan_table
from services.local.commands.kite_login import log_out
from services.local.flatten.books import Booked
from services.local.flatten.desk import chosen_venue, desk
from services.local.flatten.earlier_days import BooksUnknown, books_of_bus
from services.local.flatten.fence import LEASE_MS, Fence
from services.local.flatten.plan import FlattenPlan, Scope
from services.local.flatten.rounds import Rounds

_CONFIG = Path("config/alphastocks.toml")
_NOT_FLAT = 1
_STOPPED = (
    "Stopped before it was done: sales of this run may still work, and keep an executor from "
    "selling the same units. Run it again, or cancel them on Kite."
)


def flatten(
    contract: Annotated[
        list[str] | None,
        typer.Option("--contract", metavar="SYMBOL", help="Close all of this contract too."),
    ] = None,
    everything: Annotated[
        bool, typer.Option("--all", help="Close the whole account, after a typed confirmation.")
    ] = False,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Show what would be done, and do nothing.")
    ] = False,
    logout: Annotated[
        bool, typer.Option("--logout", help="End the session at the broker when it is flat.")
    ] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask; --all is asked for.")] = False,
    minutes: Annotated[
        float, typer.Option("--minutes", min=0.1, help="Give up after so long.")
    ] = 10.0,
    venue: Annotated[
        str | None,
        typer.Option("--venue", help="The broker's account. [default: that of executor.venue]"),
    ] = None,
    url: Url = None,
    var: Var = None,
    config: Annotated[
        Path | None,
        typer.Option(
            "--config", help="Settings file. [default: config/alphastocks.toml if it exists]"
        ),
    ] = None,
) -> None:
    """Cancel our orders and close what they hold, with nothing running but the broker.

    It needs the settings and the session file. A running executor is halted, and sends no order
    meanwhile, if it answers or uses the same session file. What is ours is known by the tags of
    today's orders; what is held from earlier days has to be named. Sales are limit orders at the
    bid, repriced until they fill, and never more than the account has. It may be run again, and by
    two people at once. The exit status is 0 only when nothing is left.

    Example: `alphastocks flatten --dry-run`
    """
    settings = load_settings(ExecutorProcess, config or (_CONFIG if _CONFIG.exists() else None))
    if venue is not None and venue not in CONNECTORS:
        raise SettingsError(f"--venue: {unknown(venue, CONNECTORS, 'broker')}")
    if url is not None:
        checked_url(url)
    if var is not None and not var.is_dir():
        raise SettingsError(f"--var: {var}: no such folder")
    configure_logs("error", settings.runtime.log_format)
    name = chosen_venue(settings, venue)
    named = frozenset(contract or ())
    session = _session(settings)

    async def run() -> bool:
        async with desk(settings, name, _tell, 60 * minutes) as rounds:
            books = await _books(settings, var or Path("var"), is_real=name == "kite")
            rounds.scope = Scope(named, everything, books)
            plan = await rounds.plan()
            _show(plan)
            if dry_run:
                return plan.is_flat
            if not plan.is_done:
                _ask(plan, session, is_all=everything, yes=yes)
            fence = _fence(settings, url, var)
            rounds.each_round = fence.hold
            try:
                return await _flat(rounds)
            finally:
                fence.release()

    is_flat = asyncio.run(run())
    if logout and is_flat and not dry_run:
        asyncio.run(log_out(settings.kite))
        screen.console.print("Logged out: the session has ended.")
    if not is_flat:
        raise typer.Exit(_NOT_FLAT)


async def _flat(rounds: Rounds) -> bool:
    try:
        left = await rounds.run()
    except (asyncio.CancelledError, SessionError):
        screen.notify(_STOPPED)
        raise
    if left is None:
        screen.notify("The broker's books could not be read: nothing is known. Look at Kite.")
        return False
    if left.is_flat:
        screen.console.print("Flat: nothing of ours is held, and no order of ours works.")
        return True
    screen.notify("Not flat: see what is left, and run it again.")
    _show(left)
    return False


async def _books(
    settings: ExecutorProcess, var: Path, *, is_real: bool
) -> tuple[Booked, ...] | None:
    """Return our books, None where they cannot be read: then today's tags alone are ours."""
    try:
        mode = "live" if is_real else settings.executor.mode
        return await books_of_bus(settings.bus, var, mode)
    except BooksUnknown as unknown_because:
        _tell(f"what our books hold of earlier days is not known: {unknown_because}")
        return None


def _fence(settings: ExecutorProcess, url: str | None, var: Path | None) -> Fence:
    by = f"{getuser()} on {gethostname()}"

    def asked() -> str:
        """Halt an executor that answers, and let it stand down; say what came of it."""
        try:
            executor = chosen_executor(url, var)
            seconds = LEASE_MS // 1000
            ask(executor, var, "halt", f"flatten by {by}", stand_down_seconds=seconds)
        except SettingsError as error:
            return f"no executor was asked to stand down: {error.line}"
        return f"the executor at {executor.url} stands down"

    file, run = settings.kite.session_file, secrets.token_hex(8)
    return Fence(file, run, by, asked, _tell, WallClock().now_ms)


def _session(settings: ExecutorProcess) -> KiteSession:
    """Return the session of the file; SessionError without one. The broker may know it ended."""
    return SessionFile(settings.kite.session_file).read()


def _ask(plan: FlattenPlan, session: KiteSession, *, is_all: bool, yes: bool) -> None:
    """Ask; the whole account is closed only by who types whose it is."""
    if is_all:
        user = session.user_id
        typed = typer.prompt(f"This closes ALL that the account holds. Type its user, {user}")
        if typed.strip() != user:
            raise typer.Abort
    elif not yes:
        many = f"{len(plan.cancels)} orders, and close {len(plan.targets)} contracts"
        typer.confirm(f"Cancel {many} of {session.user_id} now?", abort=True)


def _show(plan: FlattenPlan) -> None:
    if not plan.is_done:
        screen.console.print(plan_table(plan))
    for line in plan_lines(plan):
        screen.console.print(line, soft_wrap=True)
    if plan.is_flat:
        screen.console.print("Nothing of ours is held, and no order of ours works.")


def _tell(line: str) -> None:
    screen.console.print(f"{datetime.now(IST):%H:%M:%S} {line}", soft_wrap=True)
