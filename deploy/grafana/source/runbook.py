"""The alerts' entries of docs/runbook.md, and where Grafana shows them."""

import re
import zlib
from collections.abc import Iterable
from pathlib import Path

from grafana_foundation_sdk.builders.text import Panel as Text
from grafana_foundation_sdk.models.text import TextMode

RUNBOOK = Path(__file__).parents[3] / "docs" / "runbook.md"
UID = "alphastocks-runbook"
_LINK = re.compile(r"\[([^\]]+)\]\(#([\w-]+)\)")
_ENTRY = re.compile(r"^### (\w+)\n(.*?)(?=^### |^## |\Z)", re.MULTILINE | re.DOTALL)


def entries() -> dict[str, str]:
    """Return alert → what its entry says, in the order of the page."""
    _, found, rest = RUNBOOK.read_text().partition("\n## Alerts\n")
    if not found:
        raise ValueError(f"{RUNBOOK} has no section Alerts")
    section = re.split(r"^## ", rest, maxsplit=1, flags=re.MULTILINE)[0]
    return {alert: text.strip() for alert, text in _ENTRY.findall(section)}


def panel_id(alert: str) -> int:
    """Return the number of an entry's panel: by name, so that links outlive a new order."""
    return zlib.crc32(alert.encode()) % 10_000


def path_of(alert: str) -> str:
    """Return the address of an entry, below Grafana's own."""
    return f"/d/{UID}?viewPanel={panel_id(alert)}"


def shown(text: str, alerts: Iterable[str]) -> str:
    """Return an entry with its links to other entries as Grafana finds them; others are texts."""
    of_anchor = {alert.lower(): alert for alert in alerts}

    def linked(link: re.Match[str]) -> str:
        words, anchor = link.groups()
        return f"[{words}]({path_of(of_anchor[anchor])})" if anchor in of_anchor else words

    return _LINK.sub(linked, text)


def entry_panels() -> list[Text]:
    """Return a panel for each entry, two in a row; the last one fills what is left of its row."""
    texts = entries()
    alone = list(texts)[-1] if len(texts) % 2 else None
    return [
        Text()
        .title(alert)
        .id(panel_id(alert))
        .mode(TextMode.MARKDOWN)
        .content(shown(text, texts))
        .span(24 if alert == alone else 12)
        .height(9)
        for alert, text in texts.items()
    ]
