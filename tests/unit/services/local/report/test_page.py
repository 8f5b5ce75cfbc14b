"""The report as a page, also in a real browser without a network."""

import re
from pathlib import Path

import pytest

from services.local.report.charts import charts_of
from services.local.report.page import page
from tests.chromium import parts_of, seen_in_chromium, why_no_chromium
from tests.unit.services.local.report.test_books import books, busy_day
from tests.unit.services.position.builders import NOW, fill

HOSTILE = "<script>document.title='taken'</script>"


def body(text: str) -> str:
    """The words of a page, without its script and its style."""
    main = re.search(r"<main>.*?</main>", text, re.DOTALL)
    assert main is not None
    return re.sub(r"<[^>]+>", " ", main[0])


def test_the_page_has_the_figures_and_the_trades(tmp_path: Path) -> None:
    found = books(tmp_path, busy_day())
    text = page(found)
    assert text == page(found), "the same books give the same bytes"
    words = body(text)
    for said in ("3 positions closed", "Trades (all 3)", "stamp duty", "by hand", "paper"):
        assert said in words


def test_a_page_of_nothing_says_so_and_has_no_chart(tmp_path: Path) -> None:
    found = books(tmp_path, [])
    assert "Nothing was traded and nothing is held" in body(page(found))
    assert charts_of(found) == {}


def test_what_is_doubtful_stands_at_the_head(tmp_path: Path) -> None:
    oversold = [fill(), fill("SELL", 150, "130.00", at_ms=NOW + 1000)]
    words = body(page(books(tmp_path, oversold)))
    assert words.index("Beware") < words.index("Trades (all 1)")


@pytest.mark.skipif(bool(why_no_chromium()), reason=why_no_chromium())
def test_every_chart_is_drawn_without_a_network(tmp_path: Path) -> None:
    told = [
        one.model_copy(
            update={"strategy": HOSTILE if one.position_id == busy_day()[2].position_id else "rsi"}
        )
        for one in busy_day()
    ]
    file = tmp_path / "report.html"
    file.write_text(page(books(tmp_path, told)), "utf-8")
    seen = seen_in_chromium(file, tmp_path / "profile")
    assert seen.console == ()
    parts = parts_of(seen.dom, "running", "strategy", "charges", "drawn")
    assert parts["running"].count('<path class="point"') == 4
    assert parts["strategy"].count('<g class="point">') == 2
    assert parts["charges"].count('<g class="point">') == 7
    assert "<title>taken" not in seen.dom
