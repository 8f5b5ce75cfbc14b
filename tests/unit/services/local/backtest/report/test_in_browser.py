"""The report in a real browser without a network."""

import re
from pathlib import Path

import pytest

from services.local.backtest.report.page import report_of
from tests.chromium import Seen, parts_of, seen_in_chromium, why_no_chromium
from tests.unit.services.local.backtest.made_results import result

CHARTS = ("equity", "price", "closeup", "distribution", "hours", "weekdays", "reasons")
HOSTILE = "<script>document.title='taken'</script>"

pytestmark = pytest.mark.skipif(bool(why_no_chromium()), reason=why_no_chromium())


def opened(page: str, folder: Path) -> Seen:
    (folder / "report.html").write_text(page, "utf-8")
    return seen_in_chromium(folder / "report.html", folder / "profile")


def lengths_of_lines(part: str) -> list[int]:
    """Return how many points each drawn line of a chart has."""
    lines = re.findall(r'<path class="js-line"[^>]* d="([^"]+)"', part)
    return [len(re.findall("[MLHV]", one)) for one in lines]


def test_every_chart_is_drawn_without_a_network(tmp_path: Path) -> None:
    made = result(("SBIN", "NIFTY 50"), days=60, trades=20, strategy=HOSTILE)
    seen = opened(report_of(made), tmp_path)
    assert seen.console == ()
    parts = parts_of(seen.dom, *CHARTS, "instruments", "drawn")
    assert [one > 40 for one in lengths_of_lines(parts["equity"])] == [True, True]
    assert lengths_of_lines(parts["price"])[0] > 500
    trades = [one for one in made.trades if one.instrument == "NSE:SBIN"]
    assert parts["price"].count('<path class="point"') == 2 * len(trades)
    assert parts["closeup"].count('<path class="box"') > 30
    for chart in ("distribution", "hours", "weekdays", "reasons", "instruments"):
        assert parts[chart].count('<g class="point">') >= 2, chart
    assert "<title>taken" not in seen.dom


def test_a_report_without_a_trade_draws_its_equity(tmp_path: Path) -> None:
    seen = opened(report_of(result(trades=0, days=3)), tmp_path)
    assert seen.console == ()
    parts = parts_of(seen.dom, "equity", "price", "drawn")
    assert len(lengths_of_lines(parts["equity"])) == 2
    assert parts["price"].count('<path class="box"') == 75


def test_the_content_policy_stops_whatever_a_page_would_load(tmp_path: Path) -> None:
    asking = '<img src="http://example.com/a.png"></main>'
    page = report_of(result(trades=0, days=1)).replace("</main>", asking, 1)
    assert any("Content Security Policy" in line for line in opened(page, tmp_path).console)
