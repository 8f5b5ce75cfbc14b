"""Which executor a command means, what `token` prints, and how a state looks."""

import io
import threading
import tomllib
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import replace
from decimal import Decimal
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console
from typer.testing import CliRunner

from libs.runtime.access import Access
from libs.runtime.settings import SettingsError, load_settings
from services.executor.domain.overview import overview
from services.executor.replies import State, state_of
from services.local.__main__ import app
from services.local.commands.executor_client import (
    DEFAULT_URL,
    TOKEN,
    TOKEN_FILE,
    URL,
    Executor,
    chosen_executor,
    executor_with_token,
)
from services.local.commands.state_page import positions_table, state_lines
from services.local.commands.token import token_setting
from services.local.control_file import control_of, note_wait
from services.local.own_control import own_control
from services.local.settings import LocalSettings
from tests.unit.services.executor.builders import NOW, chain_rows, make_executor, one_trade, ticks
from tests.unit.services.executor.venue import Trading


@pytest.fixture(autouse=True)
def _alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An empty folder, and no variable that names an executor."""
    monkeypatch.chdir(tmp_path)
    for name in (TOKEN, TOKEN_FILE, URL):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def runs() -> Iterator[Any]:
    """Let an `up` run: a folder, and the first port."""
    with ExitStack() as stack:

        def run(folder: str, port: int = 8100) -> Executor:
            settings = LocalSettings(runtime={"port": port})
            stack.enter_context(own_control(settings, Path(folder)))
            control = control_of(Path(folder))
            assert control is not None
            return Executor(control.url, control.token)

        yield run


def test_the_one_that_runs_is_meant(runs: Any) -> None:
    own = runs("var/up", 9000)
    assert own.url == "http://127.0.0.1:9001"
    assert chosen_executor(None, None) == own
    assert chosen_executor("http://127.0.0.1:9001/", None) == own


def test_of_several_one_is_named_by_its_folder_or_address(runs: Any) -> None:
    first, second = runs("var/up", 9000), runs("var/kite", 9100)
    with pytest.raises(SettingsError, match=r"var/kite at .*9101, var/up at .*9001.*--var"):
        chosen_executor(None, None)
    assert chosen_executor(None, Path("var/up")) == first
    assert chosen_executor(second.url, None) == second


def test_a_folder_elsewhere_is_found_when_it_is_named(runs: Any, tmp_path: Path) -> None:
    elsewhere = runs(str(tmp_path / "state"))
    assert chosen_executor(None, tmp_path / "state") == elsewhere
    with pytest.raises(SettingsError, match=r"no `alphastocks up` runs with a folder under var/"):
        chosen_executor(None, None)


def test_where_none_runs_one_line_tells_what_to_do(runs: Any) -> None:
    with pytest.raises(SettingsError, match=rf"--var, or set {TOKEN} and {URL}"):
        chosen_executor(None, None)
    with pytest.raises(SettingsError, match="runs with var/other"):
        chosen_executor(None, Path("var/other"))
    runs("var/up", 9000)
    with pytest.raises(SettingsError, match=r"no .* runs at http://x, but var/up at .*9001"):
        chosen_executor("http://x", None)


def test_a_token_in_the_environment_comes_first_and_a_named_folder_before_it(
    runs: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    own = runs("var/up", 9000)
    monkeypatch.setenv(TOKEN, "asha's")
    assert chosen_executor(None, None) == Executor(DEFAULT_URL, "asha's")
    assert chosen_executor("http://far:1/", None) == Executor("http://far:1", "asha's")
    assert executor_with_token(None, "trade") == Executor(DEFAULT_URL, "asha's")
    assert chosen_executor(None, Path("var/up")) == own


def test_a_token_may_be_in_a_file(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv(TOKEN_FILE, str(tmp_path / "token"))
    with pytest.raises(SettingsError, match=rf"{TOKEN_FILE}: .*token: No such file"):
        chosen_executor(None, None)
    (tmp_path / "token").write_text("\n")
    with pytest.raises(SettingsError, match="the file is empty"):
        chosen_executor(None, None)
    (tmp_path / "token").write_text("asha's\n")
    assert chosen_executor(None, None).token == "asha's"


@pytest.mark.usefixtures("runs")
def test_the_mode_is_not_changed_with_the_own_token(runs: Any) -> None:
    runs("var/up")
    with pytest.raises(SettingsError, match=r"a token of scope trade: `alphastocks token NAME"):
        executor_with_token(None, "trade")


@pytest.mark.parametrize("command", ["state", "halt", "resume", "exit"])
def test_a_silent_executor_is_named_with_its_address(runs: Any, command: str) -> None:
    runs("var/up", 1)
    options = ["--yes"] if command == "exit" else []
    result = CliRunner().invoke(app, [command, *options])
    assert isinstance(result.exception, SettingsError)
    assert f"{command}: no answer from the executor at http://127.0.0.1:2" in str(result.exception)
    assert str(result.exception).endswith("starting: Connection refused")


def test_an_address_that_answers_in_no_known_way_is_said_in_one_line() -> None:
    class Noise(BaseHTTPRequestHandler):
        def handle(self) -> None:
            self.wfile.write(b"nonsense\r\n\r\n")

    with HTTPServer(("127.0.0.1", 0), Noise) as server:
        threading.Thread(target=server.handle_request, daemon=True).start()
        executor = Executor(f"http://127.0.0.1:{server.server_port}", "token")
        with pytest.raises(SettingsError, match="no answer from the executor"):
            executor.ask("state", None)


@pytest.mark.parametrize("options", [[], ["--var", "var/kite"]])
@pytest.mark.parametrize("command", ["state", "halt"])
def test_one_that_waits_says_so_instead_of_giving_no_answer(
    runs: Any, command: str, options: list[str]
) -> None:
    runs("var/kite", 1)
    note_wait(Path("var/kite"), "the next trading day, 2026-06-22; the executor starts at 08:30")
    result = CliRunner().invoke(app, [command, *options])
    assert str(result.exception) == (
        f"{command}: the `up` on var/kite waits for the next trading day, 2026-06-22; the executor "
        "starts at 08:30"
    )


def pasted(output: str) -> tuple[str, str]:
    """Return the token of `alphastocks token`, and what it says to paste."""
    lines = output.splitlines()
    start = next(number for number, line in enumerate(lines) if line.startswith("[["))
    return lines[1].strip(), "\n".join(lines[start:])


@pytest.mark.parametrize("name", ["asha", 'a "quoted" \\ name', "आशा", "[bold]:smile:"])
def test_what_token_prints_can_be_pasted_at_the_end_of_a_settings_file_and_admits_it(
    tmp_path: Path, name: str
) -> None:
    file = tmp_path / "alphastocks.toml"
    file.write_text('[executor]\nmode = "paper"\n\n[runtime]\nport = 9000\n')
    tokens = {}
    for scope in ("operate", "trade"):
        result = CliRunner().invoke(app, ["token", name, "--scope", scope])
        assert result.exit_code == 0, result.output
        tokens[scope], text = pasted(result.output)
        with file.open("a", encoding="utf-8") as settings:
            settings.write(f"\n{text}\n")
    executor = load_settings(LocalSettings, file).executor
    access = Access(executor.control.tokens, per_minute=10)
    assert access.admit(tokens["trade"], "trade", 0).name == name
    assert access.admit(tokens["operate"], "operate", 0).scope == "operate"
    assert executor.mode == "paper"


@pytest.mark.parametrize("name", ["", "x" * 41, "a\nb", "\x7f"])
def test_a_name_that_the_settings_would_refuse_is_refused(name: str) -> None:
    with pytest.raises(SettingsError, match="NAME: "):
        token_setting(name, "read", "0" * 64)
    with pytest.raises(SettingsError, match="--scope: 'admin'"):
        token_setting("asha", "admin", "0" * 64)
    assert tomllib.loads(token_setting("asha", "read", "0" * 64))


def traded() -> Trading:
    """An executor with one position that was filled at 100."""
    trading = Trading(make_executor())
    for event in one_trade():
        trading.hear(event)
    (plan,) = trading.plans("entry")
    trading.fill(plan.tag, plan.quantity)
    return trading


def shown(state: State) -> str:
    console = Console(width=80, record=True, file=io.StringIO())
    for line in state_lines(state):
        console.print(line)
    console.print(positions_table(state))
    return console.export_text()


def test_a_state_shows_position_results_and_limits_within_eighty_columns() -> None:
    trading = traded()
    state = State.model_validate_json(
        state_of(overview(trading.executor, NOW + 2000)).model_dump_json()
    )
    text, (position,) = shown(state), state.positions
    assert "mode paper, not halted, 1 position open" in text
    assert "capital          ₹10,00,000.00" in text
    assert "capital at risk  ₹" in text
    assert "of ₹1,50,000.00" in text
    assert position.tradingsymbol in text
    assert "₹100.00" in text
    for price in (position.stop_loss, position.target, position.last_price):
        assert f"₹{price}" in text
    assert max(map(len, text.splitlines())) <= 80


def test_what_is_not_known_is_called_unknown_and_an_old_price_has_its_time() -> None:
    trading = traded()
    state = state_of(overview(trading.executor, NOW + 180_000))
    assert " of 10:30:01" in shown(state)
    gone = {"last_price": None, "quoted_at": None, "unrealised": None, "at_risk": None}
    unknown = state.positions[0].model_copy(update=gone)
    text = shown(state.model_copy(update={"positions": [unknown], "unrealised": None}))
    assert text.count("unknown") == 4


def test_a_price_of_another_day_has_its_date_within_eighty_columns() -> None:
    state = state_of(overview(traded().executor, NOW + 24 * 3_600_000))
    text = shown(state)
    assert " of 2026-06-10 10:30:01" in text
    assert max(map(len, text.splitlines())) <= 80


def test_money_is_never_cut_off_however_much_it_is() -> None:
    state = state_of(overview(traded().executor, NOW + 180_000))
    much = {"unrealised": Decimal("123456789.50"), "at_risk": Decimal("-98765432.10")}
    text = shown(
        state.model_copy(update={"positions": [state.positions[0].model_copy(update=much)]})
    )
    assert "₹12,34,56,789.50" in text
    assert "-₹9,87,65,432.10" in text
    assert " of 10:30:01" in text


def test_a_new_price_changes_what_is_unrealised() -> None:
    trading = traded()
    rows = [replace(row, last_price=120.0) for row in chain_rows()]
    trading.hear(ticks(rows, at_ms=NOW + 3000))
    (position,) = overview(trading.executor, NOW + 3000).positions
    assert position.unrealised == Decimal(20) * position.quantity
