"""`alphastocks signals`: which service is asked, and how signals look."""

import io
import json
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from libs.events import signals
from libs.runtime.settings import SettingsError
from services.local.commands.executor_client import TOKEN, TOKEN_FILE
from services.local.commands.signals import beside, life_lines, page_table, signal_service
from services.local.own_control import own_control
from services.local.settings import LocalSettings
from services.signal.domain.lives import Lives
from services.signal.replies import LifeReply, PageReply, life_of, page_of
from tests.unit.services.signal.test_nights import passed, update
from tests.unit.services.signal.test_passing import AT, DAY, book, signal


@pytest.fixture(autouse=True)
def _alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name in (TOKEN, TOKEN_FILE):
        monkeypatch.delenv(name, raising=False)


def lived() -> Lives:
    one = book()
    held = passed(one, signal())
    for kind, at_ms in ((signals.SignalActivated, AT), (signals.SignalStopped, AT + 86_400_000)):
        one.on_event(update(kind, held, at_ms), AT)
    one.on_event(update(signals.SignalCompleted, held, AT + 86_400_001), AT)
    return one.lives


def test_the_signal_service_is_beside_the_executor() -> None:
    assert beside("http://127.0.0.1:9001") == "http://127.0.0.1:9003"
    assert beside("http://[::1]:8101") == "http://[::1]:8103"
    with pytest.raises(SettingsError, match="says no port"):
        beside("https://executor.example")


def test_the_up_that_runs_is_asked_with_its_own_token() -> None:
    token: Any = {"name": "asha", "scope": "read", "sha256": "0" * 64}
    guarded: Any = {"reading": {"tokens": [token]}}
    settings = LocalSettings(runtime={"port": 9000}, signal=guarded, position=guarded)
    with own_control(settings, Path("var/up")) as controlled:
        service = signal_service(None, None)
        assert service.url == "http://127.0.0.1:9003"
        assert service.token == json.loads(Path("var/up/control.json").read_text())["token"]
        for section in (controlled.signal, controlled.position):
            assert [one.name for one in section.reading.tokens] == ["asha", "local"]


def test_a_life_is_a_line_for_each_step_in_india_s_time() -> None:
    (life,) = lived().all()
    first, *steps = life_lines(LifeReply.model_validate_json(life_of(life).model_dump_json()))
    assert first == (f"ma_crossover BUY SBIN, {DAY}, price 100.00, stop 99.00, target 102.00")
    assert steps == [
        "2026-06-17 09:50:00 NEW",
        "2026-06-17 09:50:00 VALIDATED",
        "2026-06-17 09:50:00 ACTIVATED test",
        "2026-06-18 09:50:00 STOPPED   test",
        "2026-06-18 09:50:00 COMPLETED test (does not count)",
    ]


def test_a_page_fits_80_columns() -> None:
    page = page_of(DAY, lived().all(), 10)
    text = io.StringIO()
    Console(file=text, width=80).print(page_table(PageReply(**page.model_dump())))
    shown = text.getvalue()
    assert str(page.signals[0].signal_id) in shown
    assert "STOPPED" in shown
