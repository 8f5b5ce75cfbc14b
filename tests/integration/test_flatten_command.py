"""`alphastocks flatten` as a person calls it, against a simulated exchange on its own port."""

import asyncio
import threading
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner, Result

from libs.broker.errors import SessionError, SessionMissing
from libs.runtime.settings import SettingsError
from services.local.command import urgent
from services.local.flatten.rounds import Rounds
from tests.integration.flatten_desks import CALL, LOT, Emergency, settings_at
from tests.integration.simulators import exchange_at, settings_of

PACE_SECONDS = 0.02


@pytest.fixture(autouse=True)
def _alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("services.local.flatten.rounds.ROUND_SECONDS", 0.3)
    monkeypatch.setattr("services.local.flatten.rounds.CANCEL_AGAIN_MS", 500)
    monkeypatch.setenv("ALPHASTOCKS_EXECUTOR__ORDERS__DOUBT_MS", "8000")
    original = Rounds.run

    async def run(rounds: Rounds) -> object:
        rounds.limits = type(rounds.limits)(rounds.limits.seconds, 0.5, 2_000)
        return await original(rounds)

    monkeypatch.setattr(Rounds, "run", run)


def called(*words: str, answer: str = "") -> Result:
    return CliRunner().invoke(urgent("flatten"), ["flatten", *words], input=answer)


def beside_a_market(
    folder: Path,
    monkeypatch: pytest.MonkeyPatch,
    prepare: Callable[[Emergency], Awaitable[None]],
    *calls: tuple[tuple[str, ...], str],
) -> tuple[list[Result], int, bool]:
    """Call the command while the market goes on; return its results, what is held, the session."""
    done, results = threading.Event(), list[Result]()

    def call() -> None:
        results.extend(called(*words, answer=answer) for words, answer in calls)
        done.set()

    async def run() -> tuple[int, bool]:
        async with exchange_at(settings_of(option_seconds=1)) as client:
            await client.log_in()
            await client.seconds(3)
            settings = settings_at(client, folder)
            desk = Emergency(client, settings)
            await prepare(desk)
            kite = settings.kite
            for name in ("api_key", "root", "ws_root", "session_file"):
                monkeypatch.setenv(f"ALPHASTOCKS_KITE__{name.upper()}", str(getattr(kite, name)))
            monkeypatch.setenv("ALPHASTOCKS_EXECUTOR__VENUE", "simulator")
            threading.Thread(target=call, daemon=True).start()
            while not done.is_set():
                await client.seconds(1)
                await asyncio.sleep(PACE_SECONDS)
            token, key = client.access_token, client.api_key
            accepts = client.server.exchange.logins.accepts(
                key, token, client.server.exchange.now_ms
            )
            net = client.server.exchange.account.positions()["net"]
            return sum(one["quantity"] for one in net if one["tradingsymbol"] == CALL), accepts

    held, has_session = asyncio.run(run())
    return results, held, has_session


async def two_lots(desk: Emergency) -> None:
    await desk.hold(2)


def test_a_dry_run_sends_nothing_then_it_asks_then_it_is_flat_and_logs_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls = (("--dry-run",), ""), ((), "n\n"), (("--yes", "--logout"), "")
    (dry, refused, flat), held, has_session = beside_a_market(
        tmp_path, monkeypatch, two_lots, *calls
    )
    assert (dry.exit_code, "sell" in dry.output, "130" in dry.output) == (1, True, True)
    assert isinstance(refused.exception, typer.Abort | SystemExit)
    assert "Cancel 0 orders, and close 1 contracts of SIM001 now?" in refused.output
    assert (flat.exit_code, held, has_session) == (0, 0, False), flat.output
    assert "Flat: nothing of ours is held" in flat.output
    assert "Logged out" in flat.output
    assert not (tmp_path / "kite" / "session.json").exists()


def test_the_whole_account_is_closed_only_by_who_types_whose_it_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def by_hand(desk: Emergency) -> None:
        await desk.hold(1, tag="")

    calls = (("--yes",), ""), (("--all", "--yes"), "yes\n"), (("--all",), "SIM001\n")
    (left, wrong, flat), held, _ = beside_a_market(tmp_path, monkeypatch, by_hand, *calls)
    assert left.exit_code == 1
    assert f"{LOT} NFO:{CALL} NRML" in left.output
    assert "--contract" in left.output
    assert wrong.exit_code != 0
    assert (flat.exit_code, held) == (0, 0), flat.output


def test_without_a_session_it_says_to_log_in(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ALPHASTOCKS_KITE__API_KEY", "simulator")
    monkeypatch.setenv("ALPHASTOCKS_EXECUTOR__VENUE", "simulator")
    found = called("--yes").exception
    assert isinstance(found, SessionMissing | SessionError)
    assert "alphastocks login" in str(found)


def test_paper_has_nothing_to_flatten() -> None:
    found = called("--yes").exception
    assert isinstance(found, SettingsError)
    assert "`alphastocks exit` closes paper positions" in str(found)
