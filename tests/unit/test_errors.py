"""Every error that a person may read has one root, which says how a process ends."""

import importlib
import inspect
import pkgutil
from collections.abc import Iterator

import pytest

import libs
import services
from libs.errors import AlphaStocksError
from libs.events.errors import BusFailed, BusUnavailable, Fenced, UnknownTopic
from libs.market.calendar import CalendarError
from libs.runtime.dead_letters import TooManyDeadLetters
from libs.runtime.error_line import errors_as_one_line
from libs.runtime.settings import SettingsError
from services.local.play.fleet import ProcessFailed

NOT_FOR_PEOPLE = {
    "libs.events.kafka.consumer._Moved": "caught where it is raised",
    "libs.runtime.access.Denied": "becomes the status of an HTTP reply",
    "services.local.backtest.options.listing.NotListed": "becomes the refusal of a signal",
    "services.local.strategy_files.trial._Failed": "becomes a check that failed",
    "services.simulator.domain.errors.KiteError": "becomes a reply in Kite's words",
    "services.simulator.in_process.ConnectionLost": "is what a client in the process is told",
}


def modules() -> Iterator[str]:
    for package in (libs, services):
        for found in pkgutil.walk_packages(package.__path__, f"{package.__name__}."):
            yield found.name


def exceptions() -> Iterator[type[BaseException]]:
    for name in modules():
        for _, one in inspect.getmembers(importlib.import_module(name), inspect.isclass):
            if issubclass(one, BaseException) and one.__module__ == name:
                yield one


def named(error: type[BaseException]) -> str:
    return f"{error.__module__}.{error.__qualname__}"


def test_every_error_for_people_derives_from_the_root() -> None:
    others = [one for one in exceptions() if not issubclass(one, AlphaStocksError)]
    excused = [one for one in others if named(one) in NOT_FOR_PEOPLE]
    assert {named(one) for one in excused} == set(NOT_FOR_PEOPLE)
    left = [named(one) for one in others if not issubclass(one, tuple(excused))]
    assert left == []


@pytest.mark.parametrize("kind", [Fenced, BusFailed, TooManyDeadLetters])
def test_a_service_that_failed_ends_with_status_1(kind: type[AlphaStocksError]) -> None:
    assert kind("why").exit_status == 1


@pytest.mark.parametrize(
    "kind", [SettingsError, CalendarError, UnknownTopic, BusUnavailable, ProcessFailed]
)
def test_what_the_user_has_to_mend_ends_with_status_2(kind: type[AlphaStocksError]) -> None:
    assert kind("why").exit_status == 2


def test_an_error_is_one_line_on_stderr_and_its_status(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as ended, errors_as_one_line("candle"):
        raise Fenced("another process\n  took our place")
    assert ended.value.code == 1
    assert capsys.readouterr() == ("", "candle: another process took our place\n")


def test_a_defect_of_our_own_is_shown_whole() -> None:
    with pytest.raises(ZeroDivisionError), errors_as_one_line("candle"):
        raise ZeroDivisionError
