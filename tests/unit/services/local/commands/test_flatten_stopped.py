"""What a person is told who stops a flatten before it is done."""

import asyncio
from typing import Any

import pytest

from libs.broker.errors import SessionExpired
from services.local.commands.flatten import _flat


class Endless:
    """Rounds that go on until they are stopped."""

    async def run(self) -> None:
        await asyncio.Event().wait()


class LoggedOut:
    """Rounds whose session ends."""

    async def run(self) -> None:
        raise SessionExpired("the session is over")


async def stopped(rounds: Any) -> None:
    flattening = asyncio.create_task(_flat(rounds))
    await asyncio.sleep(0)
    flattening.cancel()
    await flattening


@pytest.mark.parametrize(
    ("rounds", "ends"), [(Endless(), asyncio.CancelledError), (LoggedOut(), SessionExpired)]
)
def test_who_stops_it_is_told_that_its_sales_may_still_work(
    rounds: Any, ends: type[BaseException], capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(ends):
        asyncio.run(stopped(rounds))
    said = capsys.readouterr()
    assert "sales of this run may still work" in said.out + said.err
