import re
from pathlib import Path

import pytest
from pydantic import Field, SecretStr, ValidationError

from libs.market.calendar import load_calendar
from libs.runtime.origins import Origin, place_of
from libs.runtime.process import ServiceProcess, store_address
from libs.runtime.refusals import refuse_unknown_variables
from libs.runtime.settings import Section, SettingsError, load_settings


class Sizing(Section):
    capital: int = 100
    lots: int = Field(1, ge=1)


class ExecutorSection(Section):
    mode: str = "logging_only"
    sizing: Sizing = Sizing()


class Process(ServiceProcess):
    executor: ExecutorSection = ExecutorSection()


def written(folder: Path, text: str) -> Path:
    file = folder / "alphastocks.toml"
    file.write_text(text)
    return file


def refusal(file: Path | None) -> str:
    """Return the one line that refuses the settings."""
    with pytest.raises(SettingsError) as refused:
        load_settings(Process, file)
    line = str(refused.value)
    assert "\n" not in line
    return line


def test_without_a_file_the_defaults_hold() -> None:
    assert load_settings(Process, None) == Process()


def test_own_rules_are_put_over_the_packaged_ones_and_a_wrong_file_is_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = written(tmp_path, f'[rules]\nfolder = "{tmp_path / "rules"}"\n')
    assert refusal(file).endswith("rules: No such file or directory")
    (tmp_path / "rules").mkdir()
    (tmp_path / "rules" / "calendar-2027.toml").write_text("[covers]\nto = 2027-12-31\n")
    assert load_settings(Process, file).rules.folder == tmp_path / "rules"
    assert load_calendar().last_day.year == 2027
    (tmp_path / "rules" / "lots.toml").write_text("[lot]\n")
    assert refusal(file).endswith("lots.toml: lot: unknown key")
    load_settings(Process, None)
    assert load_calendar().last_day.year == 2026
    monkeypatch.setenv("ALPHASTOCKS_RULES__FOLDER", str(tmp_path / "nowhere"))
    assert "rules.folder" in refusal(None)


def test_the_file_sets_values_and_leaves_the_others(tmp_path: Path) -> None:
    settings = load_settings(Process, written(tmp_path, "[executor.sizing]\ncapital = 7\n"))
    assert settings.executor.sizing == Sizing(capital=7)
    assert settings.executor.mode == "logging_only"


def test_the_environment_goes_before_the_file_key_by_key(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = written(tmp_path, '[executor]\nmode = "paper"\nsizing = { capital = 7, lots = 2 }\n')
    monkeypatch.setenv("ALPHASTOCKS_EXECUTOR__SIZING__CAPITAL", "9")
    settings = load_settings(Process, file)
    assert settings.executor == ExecutorSection(mode="paper", sizing=Sizing(capital=9, lots=2))


def test_a_section_of_another_service_is_passed_over(tmp_path: Path) -> None:
    file = written(tmp_path, "[candle]\nanything = 1\n")
    assert load_settings(Process, file) == Process()


@pytest.mark.parametrize(
    ("text", "culprits"),
    [
        ("[execution]\n", ["'execution'", "executor"]),
        ("mode = 'paper'\n", ["'mode'"]),
        ("executor = 5\n", ["executor must be a section"]),
        ("[executor]\nmood = 1\n", ["executor.mood", "unknown key"]),
        ("[executor.sizing]\ncapital = 'much'\n", ["executor.sizing.capital"]),
        ("[executor.sizing]\nlots = 0\n", ["executor.sizing.lots", "greater than"]),
        ("[executor\n", ["alphastocks.toml"]),
        ("[runtime]\nclock = 'sun'\n", ["runtime.clock", "'wall'"]),
    ],
)
def test_a_wrong_file_is_refused_and_the_key_is_named(
    tmp_path: Path, text: str, culprits: list[str]
) -> None:
    line = refusal(written(tmp_path, text))
    assert all(culprit in line for culprit in (*culprits, "alphastocks.toml")), line


def test_a_file_that_is_missing_or_not_text_is_named(tmp_path: Path) -> None:
    assert "missing.toml" in refusal(tmp_path / "missing.toml")
    (tmp_path / "bytes.toml").write_bytes(b"\xff\xfe\x00")
    assert "bytes.toml" in refusal(tmp_path / "bytes.toml")
    assert str(tmp_path) in refusal(tmp_path)


@pytest.mark.parametrize(
    ("variable", "value", "culprits"),
    [
        ("ALPHASTOCKS_EXECUTOR__SIZING__CAPITAL", "much", ["executor.sizing.capital"]),
        ("ALPHASTOCKS_EXECUTOR__MOOD", "paper", ["executor.mood", "unknown key"]),
        ("ALPHASTOCKS_EXECUTION__MODE", "paper", ["'execution'", "executor"]),
    ],
)
def test_a_wrong_variable_is_refused_and_named_even_beside_a_file(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    variable: str,
    value: str,
    culprits: list[str],
) -> None:
    monkeypatch.setenv(variable, value)
    line = refusal(written(tmp_path, "[executor]\nmode = 'paper'\n"))
    assert all(culprit in line for culprit in (*culprits, variable)), line


@pytest.mark.parametrize(
    ("variable", "value", "line"),
    [
        ("EXECUTOR__SIZING", '{"lots": ', "EXECUTOR__SIZING: no JSON: Expecting value: line 1"),
        ("EXECUTOR", "{", "EXECUTOR: no JSON: Expecting property name"),
        (
            "EXECUTOR__SIZING__CAPITOL",
            "1",
            "EXECUTOR__SIZING__CAPITOL: executor.sizing.capitol: unknown key; "
            "did you mean capital?",
        ),
        (
            "EXECUTOR__SIZING",
            '{"capitol": 1}',
            "EXECUTOR__SIZING: executor.sizing.capitol: unknown key; did you mean capital?",
        ),
        (
            "EXECUTOR",
            '{"sizing": {"zzz": 1}}',
            "EXECUTOR: executor.sizing.zzz: unknown key; known: capital, lots",
        ),
        ("EXECUTOR__SIZING__LOTS", "0", "EXECUTOR__SIZING__LOTS: executor.sizing.lots: Input"),
        ("EXECUTOR__SIZING", "5", "EXECUTOR__SIZING: executor.sizing: it is a group of keys: "),
        ("EXECUTOR__SIZING", "", "EXECUTOR__SIZING: executor.sizing: it is a group of keys: "),
        ("EXECUTOR__MODE__X", "1", "EXECUTOR__MODE__X and "),
        ("EXECUTR__MODE", "paper", "EXECUTR__MODE: unknown section 'executr'; did you mean ex"),
        (
            "EXECUTOR_MODE",
            "paper",
            "EXECUTOR_MODE: no such variable; did you mean ALPHASTOCKS_EXECUTOR__MODE?",
        ),
        ("SECRET", "/run", "SECRET: no such variable; did you mean ALPHASTOCKS_SECRETS?"),
    ],
)
def test_the_line_begins_with_the_variable_that_is_wrong_and_says_what_was_meant(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, variable: str, value: str, line: str
) -> None:
    file = written(tmp_path, "[executor]\nmode = 'paper'\nsizing = { capital = 7 }\n")
    monkeypatch.setenv("ALPHASTOCKS_EXECUTOR__SIZING", '{"capital": 9}')
    monkeypatch.setenv(f"ALPHASTOCKS_{variable}", value)
    assert refusal(file).startswith(f"ALPHASTOCKS_{line}")


def test_a_wrong_key_of_the_file_is_not_blamed_on_the_variable_beside_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ALPHASTOCKS_EXECUTOR__SIZING", '{"capital": 9}')
    file = written(tmp_path, "[executor.sizing]\nlots = 0\n")
    assert refusal(file).startswith(f"{file}: executor.sizing.lots: ")


def test_all_places_that_set_parts_of_a_group_are_named_when_the_parts_do_not_fit() -> None:
    origins = [
        Origin("VARIABLE", ("executor", "sizing", "lots"), 3),
        Origin("OTHER", ("executor", "mode"), "paper"),
        Origin("file.toml", ("executor",), {"sizing": {"capital": 1}}),
    ]
    assert place_of(("executor", "sizing"), origins) == "VARIABLE and file.toml"
    assert place_of(("executor", "sizing", "lots"), origins) == "VARIABLE"
    assert place_of(("executor", "sizing", "missing"), origins) == "VARIABLE and file.toml"
    assert place_of(("bus",), origins) == ""


def test_every_variable_that_the_project_names_is_known() -> None:
    root = Path(__file__).parents[4]
    places = ("*.md", "docs/**/*.md", "libs/**/*.py", "services/**/*.py", "deploy/**/*", "Makefile")
    files = {file for place in places for file in root.glob(place) if file.is_file()}
    texts = [file.read_text(errors="replace") for file in files]
    named = {name for text in texts for name in re.findall(r"\bALPHASTOCKS_[A-Z_]+[A-Z]\b", text)}
    refuse_unknown_variables(Process, named)
    assert len(named) > 20


def test_the_password_is_in_no_text_of_the_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ALPHASTOCKS_STORE__PASSWORD", "hunter2")
    settings = load_settings(Process, None)
    texts = (repr(settings), str(settings), settings.model_dump_json(), repr(settings.store))
    assert not any("hunter2" in text for text in texts)
    address = store_address(settings.store)
    assert address.password == "hunter2"
    assert "hunter2" not in repr(address)


def test_a_refusal_does_not_repeat_the_secret_beside_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = written(tmp_path, "[store]\npassword = ['hunter2']\n")
    assert "store.password" in refusal(file)
    assert "hunter2" not in refusal(file)
    monkeypatch.setenv("ALPHASTOCKS_STORE", '{"password": "hunter2", "port": "x"}')
    assert "hunter2" not in refusal(None)


def test_settings_cannot_be_changed() -> None:
    settings = load_settings(Process, None)
    with pytest.raises(ValidationError):
        setattr(settings, "executor", ExecutorSection())  # noqa: B010  a type checker refuses it
    with pytest.raises(ValidationError):
        setattr(settings.store, "password", SecretStr("other"))  # noqa: B010  here too


def secret(folder: Path, name: str, text: str) -> Path:
    folder.mkdir(exist_ok=True)
    file = folder / name
    file.write_text(text)
    return file


def test_a_secret_file_goes_before_the_settings_file_and_after_the_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    secret(tmp_path / "store", "store__password", "of the secret\n")
    monkeypatch.setenv("ALPHASTOCKS_SECRETS", str(tmp_path / "store"))
    file = written(tmp_path, '[store]\npassword = "of the file"\nuser = "asha"\n')
    settings = load_settings(Process, file)
    assert settings.store.password.get_secret_value() == "of the secret", "without its newline"
    assert settings.store.user == "asha"
    monkeypatch.setenv("ALPHASTOCKS_STORE__PASSWORD", "of the environment")
    assert load_settings(Process, file).store.password.get_secret_value() == "of the environment"


def test_secrets_may_lie_in_several_folders_also_as_links_and_as_json(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = secret(tmp_path / "..data", "executor__sizing", '{"capital": 7}')
    (tmp_path / "executor").mkdir()
    (tmp_path / "executor" / "..data").mkdir()
    real.rename(tmp_path / "executor" / "..data" / real.name)
    (tmp_path / "executor" / real.name).symlink_to(Path("..data") / real.name)
    secret(tmp_path / "store", "store__password", "hidden")
    folders = f"{tmp_path / 'store'}:{tmp_path / 'executor'}"
    monkeypatch.setenv("ALPHASTOCKS_SECRETS", folders)
    settings = load_settings(Process, None)
    assert settings.executor.sizing.capital == 7
    assert settings.store.password.get_secret_value() == "hidden"


@pytest.mark.parametrize("name", ["password", "stor__password"])
def test_a_secret_that_nobody_knows_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    secret(tmp_path / "store", name, "marked-secret")
    monkeypatch.setenv("ALPHASTOCKS_SECRETS", str(tmp_path / "store"))
    line = refusal(None)
    assert name in line
    assert "marked-secret" not in line


def test_a_secret_of_an_unknown_key_or_an_unfit_value_is_named_without_its_value(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ALPHASTOCKS_SECRETS", str(tmp_path / "s"))
    file = secret(tmp_path / "s", "store__pasword", "marked-secret")
    wanted = f"{file}: store.pasword: unknown key; did you mean password?"
    assert refusal(None) == wanted
    assert "marked-secret" not in refusal(None)
    file.unlink()
    file = secret(tmp_path / "s", "executor__sizing", '{"lots": "marked-secret"}')
    assert f"{file}: executor.sizing.lots" in refusal(None)
    assert "marked-secret" not in refusal(None)
    file.write_text("{marked-secret")
    assert refusal(None).startswith(f"{file}: no JSON: ")
    assert "marked-secret" not in refusal(None)
    file.write_bytes(b"\xffmarked-secret")
    assert "not text" in refusal(None)


def test_a_folder_of_secrets_that_is_not_there_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ALPHASTOCKS_SECRETS", str(tmp_path / "nowhere"))
    assert f"{tmp_path / 'nowhere'}: No such file or directory" in refusal(None)
