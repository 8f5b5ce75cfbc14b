"""The endpoints under /explain: a signal's whole story, as JSON and as a page."""

from typing import Any

from libs.events.event import identity
from libs.runtime.testing import ServiceHarness
from tests.unit.libs.events.story.test_story import EVENTS, REFUSED, TRADED
from tests.unit.services.signal.test_endpoints import Get, ask


def test_a_story_is_replied_as_json_and_shown_as_a_page() -> None:
    async def story(harness: ServiceHarness, get: Get) -> None:
        await harness.publish(*EVENTS)
        status, found = await get(f"/explain/{TRADED.signal_id}")
        assert (status, found["outcome"]) == (200, "closed")
        assert len(found["events"]) >= len(TRADED.events())
        status, page = await get(f"/explain/{REFUSED.signal_id}/page")
        assert status == 200
        assert "<h2>Why not</h2>" in page
        assert "executor.entry.min_confidence" in page
        assert "<script" not in page

    ask(story)


def test_what_is_unknown_or_not_clear_is_404_with_what_there_is() -> None:
    async def story(harness: ServiceHarness, get: Get) -> None:
        await harness.publish(*EVENTS)
        status, found = await get(f"/explain/{identity('nothing')}")
        assert status == 404
        assert "symbols: NIFTY" in found["detail"]
        status, found = await get("/explain/NIFTY 50/page", day="2026-06-10")
        assert status == 404
        assert "may be 2 signals" in found["detail"]

    ask(story)


def test_text_of_others_is_text_on_the_page() -> None:
    async def story(harness: ServiceHarness, get: Get) -> None:
        odd = REFUSED.updates[0].model_copy(update={"reason": "<b>news</b>"})
        changed: list[Any] = [one for one in REFUSED.events() if one not in REFUSED.updates]
        await harness.publish(*changed, odd)
        _, page = await get(f"/explain/{REFUSED.signal_id}/page")
        assert "&lt;b&gt;news" in page

    ask(story)
