"""The exchange as the settings describe it."""

import secrets
import tomllib
from functools import partial
from pathlib import Path
from typing import Any

from libs.market.calendar import load_calendar
from libs.market.rulebook import load_rulebook
from libs.runtime.settings import SettingsError
from services.simulator.domain.account import Account, AccountRules
from services.simulator.domain.account.login import App, Logins
from services.simulator.domain.board import Board, Market
from services.simulator.domain.errors import InputError
from services.simulator.domain.exchange import Exchange
from services.simulator.domain.india_time import at_time
from services.simulator.domain.market.synthetic import SyntheticMarket
from services.simulator.domain.market.underlyings import DEFAULT_UNIVERSE, SENSEX
from services.simulator.settings import SimulatorSettings
from services.simulator.state_file import StateFile

_TOKEN_BYTES = 16


def synthetic_market(settings: SimulatorSettings) -> SyntheticMarket:
    """Return the seeded market of the day; SettingsError for a day on which it is closed."""
    calendar = load_calendar()
    reason = calendar.closed_reason("NSE", settings.day)
    if reason is not None:
        raise SettingsError(f"simulator.day: the market is closed on {settings.day} ({reason})")
    specs = (*DEFAULT_UNIVERSE, SENSEX) if settings.sensex else DEFAULT_UNIVERSE
    return SyntheticMarket(settings.seed, settings.day, calendar, load_rulebook(), specs)


def make_exchange(
    settings: SimulatorSettings, market: Market, start_ms: int | None = None
) -> Exchange:
    """Return the exchange with the account of the state file and the faults of the fault file.

    It begins at `start_ms` (epoch ms), or where the settings say. Raises SettingsError.
    """
    if start_ms is None and settings.start is not None:
        start_ms = at_time(market.trading_day, settings.start)
    board = Board(market, load_calendar(), settings.option_seconds, start_ms)
    exchange = Exchange(board, _account(settings, board), _logins(settings))
    for fields in _scheduled(settings.faults):
        try:
            exchange.add_fault(fields)
        except InputError as error:
            raise SettingsError(f"{settings.faults}: {error}") from None
    return exchange


def _account(settings: SimulatorSettings, board: Board) -> Account:
    rules = AccountRules(
        funds=settings.funds,
        latency_ms=settings.latency_ms,
        api_secret=settings.api_secret.get_secret_value(),
    )
    file = StateFile(settings.state) if settings.state else None
    state = file.read() if file else None
    if file is None or state is None:
        return Account(settings.user_id, board, load_rulebook(), rules)
    try:
        return Account.load(state, board, load_rulebook(), rules)
    except ValueError:
        raise file.unusable() from None


def _logins(settings: SimulatorSettings) -> Logins:
    secret = settings.api_secret.get_secret_value()
    app = App(settings.api_key, settings.user_id, secret)
    make_token = partial(secrets.token_hex, _TOKEN_BYTES)
    standing = settings.access_token.get_secret_value()
    return Logins(app, make_token, settings.request_token_seconds * 1000, standing)


def _scheduled(file: Path | None) -> list[dict[str, Any]]:
    """Return the faults of a file, `[[faults]]` each."""
    if file is None:
        return []
    try:
        table = tomllib.loads(file.read_text("utf-8"))
    except (OSError, ValueError) as error:
        raise SettingsError(f"simulator.faults: {file}: {error}") from None
    faults = table.pop("faults", [])
    if table or not isinstance(faults, list) or not all(isinstance(one, dict) for one in faults):
        raise SettingsError(f"simulator.faults: {file}: holds [[faults]] and nothing else")
    return faults
