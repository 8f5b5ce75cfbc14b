"""Whatever is wrong with the input: one line that names it, status 2, nothing half written."""

import gzip
from pathlib import Path

import pytest

from tests.integration.commands import alphastocks

DAY = "2026-06-17"
GOOD = "timestamp,ltp,volume\n2026-06-17 09:15:03,100.5,10\n2026-06-17 09:15:04,100.6,20\n"


def packed(content: bytes) -> bytes:
    """Pack without the time of day: what parametrises a test is the same in each worker."""
    return gzip.compress(content, mtime=0)


def record(folder: Path, symbol: str, content: bytes) -> None:
    (folder / DAY).mkdir(parents=True, exist_ok=True)
    (folder / DAY / f"{symbol}.csv.gz").write_bytes(content)


@pytest.fixture
def recording(tmp_path: Path) -> Path:
    folder = tmp_path / "ticks"
    record(folder, "SBIN", packed(GOOD.encode()))
    return folder


def refused(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], *arguments: object
) -> str:
    """Run a command that must be refused and return its one line."""
    assert alphastocks(monkeypatch, *arguments) == 2
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) == 1
    assert "Traceback" not in lines[0]
    return lines[0]


@pytest.mark.parametrize(
    ("content", "culprits"),
    [
        (packed(GOOD.encode())[:-12], ["TCS.csv.gz", "cut off"]),
        (b"no gzip at all", ["TCS.csv.gz", "damaged"]),
        (
            packed(b"timestamp,volume\n2026-06-17 09:15:03,1\n"),
            ["TCS.csv.gz", "last_price"],
        ),
        (packed(GOOD.replace("100.", "abc").encode()), ["2 of 2 rows", "line 2", "ltp", "'abc5'"]),
        (packed(GOOD.replace("09:15", "9h15").encode()), ["TCS.csv.gz", "line 2", "timestamp"]),
        (packed(GOOD.replace("0\n", "0.5\n").encode()), ["line 2", "volume", "'10.5'"]),
        (packed(GOOD.replace("0\n", "0,9\n").encode()), ["TCS.csv.gz", "line 2", "more fields"]),
        (packed(b""), ["TCS.csv.gz"]),
    ],
)
def test_a_damaged_file_is_named_with_its_line(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    recording: Path,
    tmp_path: Path,
    content: bytes,
    culprits: list[str],
) -> None:
    record(recording, "TCS", content)
    out = tmp_path / "out"
    line = refused(monkeypatch, capsys, "replay", recording, "--date", DAY, "--out", out)
    assert all(culprit in line for culprit in culprits), line
    assert not out.exists()


@pytest.mark.parametrize(
    ("options", "culprit"),
    [
        (["--date", "2026-06-18"], "no ticks of 2026-06-18"),
        (["--date", "2026-06-14"], "Sunday"),
        (["--date", "2026-01-26"], "Republic Day"),
        (["--date", "17.6.2026"], "'17.6.2026'"),
        (["--date", "2035-06-14"], "2035-06-14"),
        (["--date", DAY, "--symbols", "SBIN,NOPE"], "NOPE"),
        (["--date", DAY, "--symbols", ","], "--symbols"),
    ],
)
def test_a_day_or_symbol_that_is_not_there_is_named(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    recording: Path,
    tmp_path: Path,
    options: list[str],
    culprit: str,
) -> None:
    out = tmp_path / "out"
    assert culprit in refused(monkeypatch, capsys, "replay", recording, "--out", out, *options)
    assert not out.exists()


def test_a_missing_folder_is_named(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    missing = tmp_path / "missing"
    line = refused(monkeypatch, capsys, "replay", missing, "--date", DAY, "--out", tmp_path / "o")
    assert str(missing) in line


@pytest.mark.parametrize(
    ("settings", "culprit"),
    [
        ("[executor]\ncapitall = 1\n", "executor.capitall"),
        ("[executor.sizing]\ncapital = 'much'\n", "executor.sizing.capital"),
        ("[executor.sizing]\ncapitol = 1\n", "executor.sizing.capitol"),
        ("[execution]\nmode = 'paper'\n", "execution"),
        ("mode = 'paper'\n", "mode"),
        ("[executor\n", "alphastocks.toml"),
        ("[executor]\nmode = 'lively'\n", "executor.mode"),
        ("[[strategy.strategies]]\nname = 'magic'\n", "magic"),
        ("[[strategy.strategies]]\nname = 'ma_crossover'\nparameters = {fsat = 9}\n", "fsat"),
        ("[runtime]\nport = 0\n", "runtime.port"),
    ],
)
def test_a_wrong_key_of_the_settings_is_named(
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    tmp_path: Path,
    settings: str,
    culprit: str,
) -> None:
    config = tmp_path / "alphastocks.toml"
    config.write_text(settings)
    out = tmp_path / "out"
    line = refused(monkeypatch, capsys, "demo", "--config", config, "--out", out)
    assert culprit in line
    assert not out.exists()


def test_a_settings_file_that_is_not_there_is_named(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    missing = tmp_path / "missing.toml"
    assert str(missing) in refused(monkeypatch, capsys, "demo", "--config", missing)


def test_a_wrong_value_in_the_environment_is_named(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("ALPHASTOCKS_EXECUTOR__MODE", "papier")
    assert "executor.mode" in refused(monkeypatch, capsys, "demo")


def test_a_database_that_does_not_answer_is_named(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    config = tmp_path / "alphastocks.toml"
    config.write_text('[store]\nhost = "127.0.0.1"\nport = 1\n')
    assert "127.0.0.1:1" in refused(monkeypatch, capsys, "migrate", "--config", config)
