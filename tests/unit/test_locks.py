"""The lock files agree with each other and name no address."""

import re
from pathlib import Path

import pytest

from libs.servers.clickhouse.server import WHEEL

ROOT = Path(__file__).parents[2]
LOCKS = ("requirements", "requirements-build", "requirements-clickhouse", "requirements-dev")


def pins(lock: str) -> set[tuple[str, str]]:
    text = (ROOT / f"{lock}.lock").read_text()
    return set(re.findall(r"^([a-z0-9][\w.-]*)==([^ ;]+)", text, re.MULTILINE))


@pytest.mark.parametrize("lock", LOCKS)
def test_lock_files_carry_hashes_and_no_address(lock: str) -> None:
    text = (ROOT / f"{lock}.lock").read_text()
    assert "://" not in text
    assert pins(lock)
    assert text.count("--hash=sha256:") >= len(pins(lock))


def test_the_developers_tools_leave_what_runs_as_it_is() -> None:
    assert pins("requirements") < pins("requirements-dev")


def test_what_builds_the_package_has_the_versions_of_the_developers_tools() -> None:
    tools = dict(pins("requirements-dev"))
    for name, version in pins("requirements-build"):
        assert tools.get(name, version) == version, name


def test_the_clickhouse_that_is_asked_for_is_the_one_that_is_locked() -> None:
    assert pins("requirements-clickhouse") == {tuple(WHEEL.split("=="))}


def test_every_lock_file_is_known() -> None:
    assert {path.stem for path in ROOT.glob("requirements*.lock")} == set(LOCKS)
