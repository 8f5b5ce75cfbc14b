"""The endpoints that tell a signal's whole story: as JSON, and as a page for a person.

It is read from the topics at each request, so that it needs no database, and holds what other
services have published too.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from typing import Annotated, Any

from fastapi import APIRouter, HTTPException, Query
from fastapi.responses import HTMLResponse

from libs.events.bus import Bus
from libs.events.candles import CandleBatch
from libs.events.story.finding import NoStory, find
from libs.events.story.story import TOPICS, Story, candle_of, stories_of
from libs.events.story.telling import Section, StoryTold, told
from libs.runtime.access import Access
from libs.runtime.elements import Content, made
from libs.runtime.logs import logger_of
from libs.runtime.pages import page, table
from libs.runtime.past import past_events
from libs.runtime.reading import DENIALS, guards


@dataclass(frozen=True, slots=True)
class Stories:
    """The stories that a bus holds."""

    bus: Bus

    async def told(self, asked: str, day: date | None) -> StoryTold:
        """Return the story of an id or a symbol; raise NoStory."""
        events = past_events(self.bus, TOPICS, logger_of("signal"))
        story = find(stories_of([event async for event in events]).values(), asked, day)
        story.candle = await self._candle(story)
        return told(story)

    async def _candle(self, story: Story) -> dict[str, object] | None:
        events = past_events(self.bus, ["candles"], logger_of("signal"))
        batches = [one async for one in events if isinstance(one, CandleBatch)]
        found = candle_of(story, batches)
        return None if found is None else dict(found)


def explain_router(stories: Stories, access: Access) -> APIRouter:
    """Return the endpoints; where `access` has tokens, one of them is needed."""
    responses: dict[int | str, dict[str, Any]] = {
        404: {"description": "nothing, or more than one signal, is meant"}
    }
    router = APIRouter(
        prefix="/explain",
        tags=["explain"],
        dependencies=guards(access, "signal.reading"),
        responses=responses | (DENIALS if access.tokens else {}),
    )

    async def found(asked: str, day: date | None) -> StoryTold:
        try:
            return await stories.told(asked, day)
        except NoStory as error:
            raise HTTPException(404, str(error)) from None

    @router.get("/{asked}")
    async def explain(
        asked: str, day: Annotated[date | None, Query(description="of a symbol")] = None
    ) -> StoryTold:
        """Return the story of a signal, order, position (by id) or tradingsymbol of a day."""
        return await found(asked, day)

    @router.get("/{asked}/page")
    async def explain_page(
        asked: str, day: Annotated[date | None, Query(description="of a symbol")] = None
    ) -> HTMLResponse:
        """Return the same as a page."""
        story = await found(asked, day)
        return page(f"Signal {story.signal_id}", *_content(story))

    return router


def _content(story: StoryTold) -> Iterator[Content]:
    yield made("p", story.summary)
    for section in story.sections:
        yield from _section(section)


def _section(section: Section) -> Iterator[Content]:
    yield made("h2", section.title)
    for line in section.lines:
        yield made("p", line)
    if section.rows:
        yield table(section.columns, section.rows)
