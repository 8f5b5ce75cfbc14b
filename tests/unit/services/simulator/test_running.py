from pathlib import Path

import pytest

from libs.runtime.settings import SettingsError
from services.simulator.__main__ import main
from services.simulator.assembly import synthetic_market
from services.simulator.running import with_options
from services.simulator.settings import SimulatorSettings
from services.simulator.state_file import StateFile


def test_options_go_before_the_settings() -> None:
    settings = with_options(SimulatorSettings(seed=3), {"day": "2026-06-10", "start": "10:30"})
    assert (settings.seed, str(settings.day), str(settings.start)) == (3, "2026-06-10", "10:30:00")


@pytest.mark.parametrize(
    ("options", "named"),
    [({"day": "tomorrow"}, "date"), ({"speed": "0"}, "speed"), ({"port": "x"}, "port")],
)
def test_an_invalid_option_is_named(options: dict[str, str], named: str) -> None:
    with pytest.raises(SettingsError, match=rf"^--{named}: "):
        with_options(SimulatorSettings(), options)


def test_a_closed_day_is_refused() -> None:
    with pytest.raises(SettingsError, match="closed on 2026-06-14"):
        synthetic_market(with_options(SimulatorSettings(), {"day": "2026-06-14"}))


def test_the_command_refuses_in_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["--speed", "0"])
    assert ended.value.code == 2
    assert capsys.readouterr().err.count("\n") == 1


def test_the_help_has_an_example(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["--help"])
    assert ended.value.code == 0
    assert "python -m services.simulator --date" in capsys.readouterr().out


def test_a_state_goes_to_the_file_and_back(tmp_path: Path) -> None:
    file = StateFile(tmp_path / "deep" / "state.json")
    assert file.read() is None
    file.write({"user_id": "SIM001"})
    assert file.read() == {"user_id": "SIM001"}
    assert [path.name for path in (tmp_path / "deep").iterdir()] == ["state.json"]


@pytest.mark.parametrize("text", ["", "{", "[]", "\x00"])
def test_a_file_that_holds_no_account_is_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "state.json"
    path.write_text(text)
    with pytest.raises(SettingsError, match="holds no account"):
        StateFile(path).read()


def test_a_state_file_that_cannot_be_written_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(SettingsError, match=r"simulator\.state"):
        StateFile(tmp_path / "file" / "state.json").write({})
