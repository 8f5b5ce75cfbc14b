"""A group over its failures: a writer starts again, whatever the service lives by does not."""

import asyncio
from collections.abc import Sequence

import pytest
import structlog

from libs.events.bus import RebalanceListener
from libs.events.embedded.bus import LocalBus
from libs.events.embedded.group import LocalConsumer
from libs.events.errors import BusUnavailable, Fenced
from libs.events.event import Event
from libs.runtime import group as group_module
from libs.runtime.group import Group
from libs.runtime.subscription import CheckpointPolicy, Subscription
from libs.store.errors import StoreRejected
from libs.store.writer import TableWriter
from tests.unit.libs.runtime.loops import Bench, Echo, halted, until

OFTEN = CheckpointPolicy(records=1, milliseconds=3_600_000)


class Refusing(Echo):
    """A sink that is refused so many times."""

    def __init__(self, errors: list[Exception]) -> None:
        super().__init__()
        self.errors = errors

    async def flush(self) -> None:
        if self.errors:
            raise self.errors.pop(0)
        await super().flush()


def group_of(bench: Bench, handler: Echo, *, may_fail: bool = True) -> Group:
    subscription = Subscription("position.writer.orders", ("control",), handler, is_required=False)
    return Group(
        lambda: bench.loop_of(subscription), bench.health, structlog.get_logger(), may_fail
    )


@pytest.fixture(autouse=True)
def _short_waits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(group_module, "FIRST_WAIT_SECONDS", 0.01)


@pytest.mark.parametrize("error", [StoreRejected("wrong password"), TypeError("a defect")])
def test_a_writer_that_is_refused_is_unwell_and_goes_on_from_its_last_commit(
    error: Exception,
) -> None:
    async def story() -> None:
        bench, sink = Bench(policy=OFTEN), Refusing([error, error])
        await bench.local.start()
        await bench.publish(halted(0), halted(1))
        group = group_of(bench, sink)
        await group.start()
        task = asyncio.create_task(group.run())
        reason = f"{type(error).__name__}: {error}"
        await until(
            lambda: bench.health.report()["position.writer.orders"] == reason, "it is unwell"
        )
        await until(lambda: bench.log[-1:] == ["commit [2]"], "everything is stored")
        assert bench.health.report()["position.writer.orders"] == "ok"
        assert sink.handled[-2:] == [0, 1]
        group.stop()
        await task
        await bench.local.stop()

    asyncio.run(story())


@pytest.mark.parametrize(
    ("error", "may_fail"), [(Fenced("another one"), True), (StoreRejected("no table"), False)]
)
def test_what_nothing_else_would_survive_ends_the_service(error: Exception, may_fail: bool) -> None:
    async def story() -> None:
        bench, sink = Bench(policy=OFTEN), Refusing([error])
        await bench.local.start()
        await bench.publish(halted(0))
        group = group_of(bench, sink, may_fail=may_fail)
        await group.start()
        with pytest.raises(type(error)):
            await group.run()
        await bench.local.stop()

    asyncio.run(story())


def test_a_group_that_waits_for_its_next_try_stops_at_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(group_module, "FIRST_WAIT_SECONDS", 3600.0)

    async def story() -> None:
        bench, sink = Bench(policy=OFTEN), Refusing([StoreRejected("wrong password")])
        await bench.local.start()
        await bench.publish(halted(0))
        group = group_of(bench, sink)
        await group.start()
        task = asyncio.create_task(group.run())
        await until(lambda: not sink.errors, "it has failed")
        await asyncio.sleep(0)
        group.stop()
        await task
        await bench.local.stop()

    asyncio.run(story())


def test_a_writer_that_starts_again_holds_nothing_of_before() -> None:
    class Store:
        def __init__(self) -> None:
            self.inserted: list[int] = []

        async def insert(self, table: str, columns: dict[str, list[int]]) -> int:
            self.inserted += columns["number"]
            return len(columns["number"])

    async def nothing(*events: Event) -> None:
        pass

    async def story() -> None:
        store = Store()
        rows = iter([{"number": [1]}, {"number": [1]}])
        writer = TableWriter(store, "t", lambda event: next(rows), lambda *_: None)  # type: ignore[arg-type]
        await writer.handle(halted(1), nothing)
        await writer.begin(nothing)
        await writer.handle(halted(1), nothing)
        await writer.flush()
        assert store.inserted == [1]

    asyncio.run(story())


def test_a_bus_that_is_away_when_a_writer_starts_again_is_waited_for() -> None:
    class Away(LocalBus):
        """Answers no `subscribe` but the first, until it is back."""

        joined = 0
        is_away = False

        async def subscribe(
            self, group: str, topics: Sequence[str], listener: RebalanceListener | None = None
        ) -> LocalConsumer:
            if self.is_away:
                self.joined += 1
                self.is_away = self.joined < 3
                raise BusUnavailable("away")
            return await super().subscribe(group, topics, listener)

    async def story() -> None:
        bus = Away()
        bench, sink = Bench(bus, OFTEN), Refusing([StoreRejected("no table")])
        await bench.local.start()
        await bench.publish(halted(0))
        group = group_of(bench, sink)
        await group.start()
        bus.is_away = True
        task = asyncio.create_task(group.run())
        await until(lambda: bench.log[-1:] == ["commit [1]"], "it is stored")
        assert bus.joined == 3
        group.stop()
        await task
        await bench.local.stop()

    asyncio.run(story())
