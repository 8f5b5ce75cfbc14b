"""The daily loss, with open positions at their marks: entries stop, and all is closed if so set."""

from decimal import Decimal

import pytest

from libs.events.control import RiskLimitReached
from libs.events.positions import ExitRequested, PositionUpdated
from services.executor.domain.plans import position_id_of
from services.executor.domain.policy import Policy, RiskLimits
from tests.unit.services.executor.builders import list_chain, make_executor, position, signal
from tests.unit.services.executor.venue import Trading

POSITION = position_id_of(signal().signal_id)


def losing(*, closes: bool) -> Trading:
    """A position whose open loss is beyond the day's limit of 50,000, and an entry that works."""
    policy = Policy(limits=RiskLimits(close_at_daily_loss=closes))
    trading = Trading(list_chain(make_executor(policy=policy)))
    trading.hear(signal())
    (entry,) = trading.plans("entry")
    trading.fill(entry.tag, 75)
    trading.hear(position(1, PositionUpdated, unrealised="-60000", net="-500"))
    return trading


@pytest.mark.parametrize("closes", [False, True])
def test_an_open_loss_beyond_the_limit_is_said_once_and_stops_the_entries_that_work(
    closes: bool,
) -> None:
    trading = losing(closes=closes)
    (entry,) = trading.plans("entry")
    trading.pass_time(30)
    (reached,) = trading.all(RiskLimitReached)
    assert reached.limit == "daily_loss"
    assert Decimal(str(reached.value)) >= 50_000
    assert trading.venue.orders[entry.tag].is_cancel_asked


def test_everything_is_closed_if_that_is_set_and_asked_for_once() -> None:
    trading = losing(closes=True)
    requests = trading.all(ExitRequested)
    assert [(one.position_id, one.reason) for one in requests] == [(POSITION, "kill_switch")]
    trading.hear(requests[0])
    trading.pass_time(30)
    assert len(trading.all(ExitRequested)) == 1


def test_nothing_is_closed_by_default() -> None:
    trading = losing(closes=False)
    trading.pass_time(30)
    assert trading.all(ExitRequested) == []
