"""What a headless Chromium makes of a page: its elements, and what it wrote to the console."""

import re
import shutil
import subprocess
from html.parser import HTMLParser
from pathlib import Path
from typing import NamedTuple

_NAMES = ("chromium", "chromium-browser", "google-chrome")
_FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--host-resolver-rules=MAP * ~NOTFOUND",
    "--virtual-time-budget=10000",
    "--enable-logging=stderr",
    "--window-size=1200,900",
    "--dump-dom",
)
_SECONDS = 120


class Seen(NamedTuple):
    """The page after it was drawn: its HTML, and lines of the console, errors of loading too."""

    dom: str
    console: tuple[str, ...]


def why_no_chromium() -> str:
    """Return why pages cannot be tried here, or nothing."""
    return "" if _found() else "no Chromium: apt-get install chromium, or put google-chrome on PATH"


def seen_in_chromium(page: Path, profile: Path) -> Seen:
    """Open a file without a network; `profile` is a new folder of the browser."""
    browser = _found()
    assert browser, why_no_chromium()
    command = [browser, *_FLAGS, f"--user-data-dir={profile}", page.as_uri()]
    done = subprocess.run(command, capture_output=True, text=True, timeout=_SECONDS, check=True)
    lines = [one for one in done.stderr.splitlines() if ":CONSOLE" in one]
    return Seen(done.stdout, tuple(lines))


def _found() -> str | None:
    return next((path for name in _NAMES if (path := shutil.which(name))), None)


class Addresses(HTMLParser):
    """Collects what elements of a page refer to."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.found: list[str] = []
        self.feed(page)

    def handle_starttag(self, _tag: str, attributes: list[tuple[str, str | None]]) -> None:
        """Take the attributes that a browser loads from or leads to."""
        leading = {"src", "href", "xlink:href", "srcset", "data", "action", "poster"}
        self.found += [value or "" for name, value in attributes if name in leading]


def parts_of(dom: str, *ids: str) -> dict[str, str]:
    """Return the HTML from each of these elements to the next one of them, by id."""
    starts = sorted((match.start(), one) for one in ids if (match := _opening(one).search(dom)))
    ends = [start for start, _ in starts[1:]] + [len(dom)]
    return {one: dom[start:end] for (start, one), end in zip(starts, ends, strict=True)}


def _opening(identity: str) -> re.Pattern[str]:
    return re.compile(f'<[a-z]+ [^>]*id="{identity}"')
