"""How a flatten ends where the broker stops answering."""

import asyncio
from datetime import date
from typing import Any

from libs.broker.errors import BrokerError
from libs.market.rulebook import load_rulebook
from services.local.flatten.plan import FlattenPlan, Scope
from services.local.flatten.rounds import Limits, Rounds


class Broker:
    """An empty account that can be read so many times."""

    def __init__(self, reads: int) -> None:
        self.reads = reads

    async def orders(self) -> list[Any]:
        self.reads -= 1
        if self.reads < 0:
            raise BrokerError("no answer")
        return []

    async def positions(self) -> list[Any]:
        return []


def left_after(reads: int) -> FlattenPlan | None:
    """Return what a run of a minute of its own time leaves."""
    times, broker = [0], Broker(reads)

    async def sleep(seconds: float) -> None:
        times[0] += int(1000 * seconds)

    rounds = Rounds(
        broker,  # type: ignore[arg-type]  # what is read alone
        broker,  # type: ignore[arg-type]  # nothing is priced
        Scope(books=()),
        load_rulebook(),
        date(2026, 6, 17),
        lambda _: None,
        lambda: times[0],
        lambda: times[0],
        limits=Limits(seconds=60),
        sleep=sleep,
    )
    return asyncio.run(rounds.run())


def test_an_account_that_is_empty_until_late_orders_are_looked_for_is_flat() -> None:
    left = left_after(1000)
    assert left is not None
    assert left.is_flat


def test_an_account_that_cannot_be_read_any_more_is_not_said_to_be_flat() -> None:
    assert left_after(3) is None
