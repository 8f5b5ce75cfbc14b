"""The page of all settings says what the classes say."""

from pathlib import Path

from services.local.configuration import PAGE, page
from services.local.settings import LocalSettings

ROOT = Path(__file__).parents[4]


def test_the_page_is_what_the_settings_classes_say() -> None:
    written = (ROOT / PAGE).read_text()
    assert written == page(), "run python -m services.local.configuration"


def test_every_section_and_key_is_on_the_page() -> None:
    lines = page().splitlines()
    settings = LocalSettings()
    for name in LocalSettings.model_fields:
        assert f"## [{name}]" in lines
        for key in type(getattr(settings, name)).model_fields:
            assert any(line.startswith(f"| `{key}` |") for line in lines), f"{name}.{key}"


def test_every_setting_says_what_it_means() -> None:
    rows = [line for line in page().splitlines() if line.startswith("| `") and "." not in line[:20]]
    assert [row for row in rows if row.endswith("|  |")] == []


def test_no_secret_is_on_the_page() -> None:
    assert "simulator-secret" not in page()
