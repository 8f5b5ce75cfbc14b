"""Lockstep: delivers one message at a time, in publish order, to each group.

So the outcome of a run is always the same.
"""

import asyncio
from collections import deque
from collections.abc import Callable, Container
from typing import NamedTuple

from libs.events.bus import TopicPartition


class Turn(NamedTuple):
    """One delivery that is due. Sorted by publish order, then by the groups' order of joining."""

    sequence: int
    group_index: int
    group: str
    partition: TopicPartition
    offset: int


class Turns:
    """The queue of deliveries, and the current one.

    `offer` passes a turn to its consumer and returns whether the consumer took it.
    """

    def __init__(self, offer: Callable[[Turn], bool]) -> None:
        self._offer = offer
        self._due: deque[Turn] = deque()
        self._current: Turn | None = None
        self._idle = asyncio.Event()
        self._idle.set()

    def add(self, turn: Turn) -> None:
        """Queue a delivery that was just published."""
        self._due.append(turn)
        self._idle.clear()
        self.advance()

    def finish(self, group: str, partitions: Container[TopicPartition]) -> None:
        """End the current turn if it belongs to this member."""
        current = self._current
        if current is not None and current.group == group and current.partition in partitions:
            self._current = None
            self.advance()

    def advance(self) -> None:
        """Offer the next turn, if there is no current one."""
        if self._current is None and self._due and self._offer(self._due[0]):
            self._current = self._due.popleft()
        if self._current is None and not self._due:
            self._idle.set()

    def replace(self, group: str, turns: list[Turn]) -> None:
        """Replace a group's queued deliveries after its members changed."""
        if self._current is not None and self._current.group == group:
            self._current = None
        others = [turn for turn in self._due if turn.group != group]
        self._due = deque(sorted([*others, *turns]))
        if self._due:
            self._idle.clear()
        self.advance()

    async def idle(self) -> None:
        """Return when no delivery is queued or current."""
        await self._idle.wait()
