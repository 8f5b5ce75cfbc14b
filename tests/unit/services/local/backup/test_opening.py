import pytest

from services.local.backup.errors import BackupError
from services.local.backup.opening import only_one_of_up


@pytest.mark.parametrize("name", ["kite", "up"])
def test_the_only_database_of_up_is_found_among_others(name: str) -> None:
    assert only_one_of_up(["default", name, "system"]) == name


@pytest.mark.parametrize(
    ("names", "found"), [(["up", "kite"], "kite and up"), (["default"], "neither kite nor up")]
)
def test_a_database_is_not_guessed(names: list[str], found: str) -> None:
    with pytest.raises(BackupError, match=f"Found {found}: name it with --database"):
        only_one_of_up(names)
