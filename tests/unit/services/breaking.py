"""A bus that breaks once in the middle of what a service publishes, and the service's next life."""

from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path
from uuid import UUID

from libs.events.bus import Record
from libs.events.codec import record_of
from libs.events.embedded.bus import LocalBus
from libs.events.embedded.journal import Journal
from libs.events.errors import BusFailed, RecordTooLarge
from libs.events.event import Event
from libs.runtime.service import Parts, Service
from libs.runtime.subscription import CheckpointPolicy
from libs.runtime.testing import ServiceHarness

Outcome = dict[str, dict[UUID, Event]]
"""Topic → what the service published on it, by event id: a repeat counts once."""
OFTEN = CheckpointPolicy(records=1, milliseconds=3_600_000)


class BreakingBus(LocalBus):
    """Breaks at the nth record of the topics given: when it is checked, or when it is published."""

    def __init__(self, folder: Path, outputs: tuple[str, ...]) -> None:
        partitions = {"ticks": 1, "candles": 1}
        super().__init__(lockstep=True, partitions=partitions, journal=Journal(folder / "journal"))
        self.outputs = outputs
        self.breaks_at: int | None = None
        self.is_checking = False
        self.seen = 0

    def check(self, record: Record) -> None:
        if self.is_checking and self._is_the_one(record):
            raise RecordTooLarge(f"{record.topic}: too large for once")

    async def publish(self, record: Record) -> None:
        if not self.is_checking and self._is_the_one(record):
            raise BusFailed(f"{record.topic}: broken for once")
        await super().publish(record)

    def _is_the_one(self, record: Record) -> bool:
        self.seen += record.topic in self.outputs
        return record.topic in self.outputs and self.seen == self.breaks_at


async def outcome(
    make: Callable[[Parts], Service],
    inputs: Sequence[Event],
    bus: BreakingBus,
    before: Sequence[Event] = (),
) -> Outcome:
    """Publish the inputs one by one; a service that has ended is started again first."""
    await bus.start()
    for event in before:
        await bus.publish(record_of(event))
    harness = await _started(make, bus)
    for event in inputs:
        harness = await _living(harness, make, bus)
        await harness.publish(event)
    harness = await _living(harness, make, bus)
    await bus.idle()
    made = {topic: await harness.published(topic) for topic in bus.outputs}
    await harness.runner.stop()
    await bus.stop()
    return {topic: {one.event_id: one for one in events} for topic, events in made.items()}


async def _living(
    harness: ServiceHarness, make: Callable[[Parts], Service], bus: BreakingBus
) -> ServiceHarness:
    if not any(task.done() for task in harness.runner.running):
        return harness
    with suppress(BusFailed, RecordTooLarge):
        await harness.runner.stop()
    again = await _started(make, bus)
    await bus.idle()
    return again


async def _started(make: Callable[[Parts], Service], bus: BreakingBus) -> ServiceHarness:
    harness = ServiceHarness(make, bus=bus, policy=OFTEN)
    await harness.runner.start()
    return harness
