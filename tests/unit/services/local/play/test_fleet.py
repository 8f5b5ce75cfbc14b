"""Services as processes: started, started again, ended; settings handed over by the environment."""

import asyncio
import signal
from pathlib import Path

import pytest
from pydantic import SecretStr

from libs.runtime.settings import BusSettings, KiteSettings, StoreSettings, load_settings
from services.local.play.fleet import Fleet, Member, ProcessFailed, as_environment
from services.local.settings import LocalSettings
from tests.unit.libs.runtime.loops import until
from tests.unit.services.local.play.fleet_member import IS_DEAF, STATUS

MODULE = "tests.unit.services.local.play.fleet_member"
PASSWORD = 'it has "quotes", a \\ and an =, and is no JSON'


def fleet_in(folder: Path, news: list[str], status: int | None = None) -> Fleet:
    extra = {} if status is None else {STATUS: str(status)}
    return Fleet(LocalSettings(), folder / "logs", 18_000, news.append, extra)


def said(fleet: Fleet, member: Member) -> list[str]:
    log = fleet.log_of(member)
    return log.read_text().splitlines() if log.exists() else []


def test_a_process_that_ends_by_itself_is_restarted_and_the_reason_is_shown(tmp_path: Path) -> None:
    async def story() -> None:
        news: list[str] = []
        async with fleet_in(tmp_path, news, status=1) as fleet:
            member = await fleet.start("signal", MODULE)
            await until(lambda: member.restarts == 2, "it is started again twice")
        assert news[0] == ("signal-0 ended with status 1: member 0 is here; restarting it in 0.5 s")
        assert news[1].endswith("in 1 s")

    asyncio.run(story())


def test_a_process_that_only_the_user_can_help_ends_all_with_its_last_log_line(
    tmp_path: Path,
) -> None:
    async def story() -> None:
        async with fleet_in(tmp_path, [], status=2) as fleet:
            await fleet.start("signal", MODULE)
            with pytest.raises(ProcessFailed, match="signal-0 ended with status 2: member 0"):
                await fleet.watch(asyncio.Event())

    asyncio.run(story())


def test_processes_of_a_service_have_names_and_ports_of_their_own(tmp_path: Path) -> None:
    async def story() -> None:
        async with fleet_in(tmp_path, []) as fleet:
            first, second = [await fleet.start("candle", MODULE) for _ in range(2)]
            assert [one.name for one in fleet.of("candle")] == ["candle-0", "candle-1"]
            assert first.port != second.port
            await fleet.stop(first)
            third = await fleet.start("candle", MODULE)
            assert (third.name, third.port > second.port) == ("candle-0", True)

    asyncio.run(story())


def test_what_was_started_is_ended_with_the_fleet_and_is_not_started_again(tmp_path: Path) -> None:
    async def story() -> None:
        news: list[str] = []
        async with fleet_in(tmp_path, news) as fleet:
            member = await fleet.start("signal", MODULE)
            await until(lambda: said(fleet, member) == ["member 0 is here"], "it runs")
        assert not member.is_running
        assert (member.restarts, news) == (0, [])

    asyncio.run(story())


def test_a_process_that_does_not_end_in_time_is_killed_and_reaped(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("services.local.play.fleet.STOP_SECONDS", 0.05)

    async def story() -> None:
        news: list[str] = []
        extra = {IS_DEAF: "1"}
        async with Fleet(LocalSettings(), tmp_path / "logs", 18_000, news.append, extra) as fleet:
            member = await fleet.start("signal", MODULE)
            await until(lambda: said(fleet, member) == ["member 0 is here"], "it runs")
        assert member.process is not None
        assert member.process.returncode == -signal.SIGKILL
        assert news == ["signal-0 did not end in 0.05 s and was killed"]

    asyncio.run(story())


def test_one_who_cannot_restart_a_process_any_more_fails_instead_of_ending_unseen(
    tmp_path: Path,
) -> None:
    async def story() -> None:
        async with fleet_in(tmp_path, []) as fleet:
            member = await fleet.start("signal", MODULE)
            await until(lambda: bool(said(fleet, member)), "it runs")
            fleet.log_of(member).unlink()  # as unreadable as on a broken disk
            assert member.process is not None
            member.process.kill()
            with pytest.raises(ProcessFailed, match="signal-0 cannot be watched or restarted: "):
                await asyncio.wait_for(fleet.watch(asyncio.Event()), 10)

    asyncio.run(story())


def test_settings_read_back_from_the_environment_are_equal(monkeypatch: pytest.MonkeyPatch) -> None:
    plain = LocalSettings().for_demo()
    settings = plain.model_copy(
        update={
            "bus": BusSettings(kind="kafka", password=SecretStr(PASSWORD), ca_file=Path("ca.pem")),
            "store": StoreSettings(host="db", password=SecretStr(PASSWORD), database="x"),
            "kite": KiteSettings(api_key="123", api_secret=SecretStr("456")),
        }
    )
    for name, text in as_environment(settings).items():
        monkeypatch.setenv(name, text)
    assert load_settings(LocalSettings, None) == settings


def environment_of(service: str, monkeypatch: pytest.MonkeyPatch) -> dict[str, str]:
    """What a service's process gets of settings that are full of secrets."""
    plain = LocalSettings().for_demo()
    kite = KiteSettings(api_key="123", api_secret=SecretStr("marked-secret"))
    store = StoreSettings(host="db", password=SecretStr("marked-password"))
    settings = plain.model_copy(update={"kite": kite, "store": store})
    for name in ("KITE__API_SECRET", "STORE__PASSWORD", "SECRETS", "KEYSTORE_PASSWORD"):
        monkeypatch.setenv(f"ALPHASTOCKS_{name}", f"inherited-{name}")
    fleet = Fleet(settings, Path("logs"), 18_000)
    return fleet._environment(Member(service, f"services.{service}", 0, 18_000))


@pytest.mark.parametrize("service", ["candle", "strategy", "position", "executor", "ingest"])
def test_a_process_gets_the_sections_that_it_reads_and_no_secret_that_only_others_need(
    monkeypatch: pytest.MonkeyPatch, service: str
) -> None:
    given = environment_of(service, monkeypatch)
    ours = {key: text for key, text in given.items() if key.startswith("ALPHASTOCKS_")}
    assert not any("inherited-" in text for text in ours.values())
    assert "marked-secret" not in ours.values()
    assert ours["ALPHASTOCKS_STORE__PASSWORD"] == "marked-password"
    sections = {key.removeprefix("ALPHASTOCKS_").partition("__")[0].lower() for key in ours}
    kite = {"kite"} if service in ("executor", "ingest") else set()
    assert sections == {"runtime", "bus", "store", service} | kite
    assert given["PATH"]


def test_a_token_for_the_control_of_the_executor_is_not_handed_over(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ALPHASTOCKS_CONTROL_TOKEN", "marked-token")
    monkeypatch.setenv("ALPHASTOCKS_CONTROL_TOKEN_FILE", "marked-file")

    async def story() -> None:
        async with fleet_in(tmp_path, []) as fleet:
            member = await fleet.start("signal", MODULE)
            await until(lambda: bool(said(fleet, member)), "it runs")
            assert said(fleet, member) == ["member 0 is here"]  # and names no variable

    asyncio.run(story())
