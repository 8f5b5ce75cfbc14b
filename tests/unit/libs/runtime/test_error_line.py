import asyncio
import os
import signal
from collections.abc import Callable

import pytest

from libs.errors import AlphaStocksError
from libs.events.errors import BusFailed
from libs.runtime.error_line import errors_as_one_line
from libs.runtime.process import OneLineParser
from libs.runtime.runner import stop_on_signals


def raising(error: BaseException) -> Callable[[], None]:
    def run() -> None:
        raise error

    return run


def signalled(number: signal.Signals) -> None:
    """Run until a signal, as `up` and each service do."""

    async def run() -> None:
        stopping = asyncio.Event()
        stop_on_signals(stopping)
        os.kill(os.getpid(), number)
        await stopping.wait()

    asyncio.run(run())


def told_in_vain() -> None:
    signalled(signal.SIGINT)
    raise BusFailed("the last\ncommit failed")


@pytest.mark.parametrize(
    ("run", "status", "line"),
    [
        (raising(AlphaStocksError("a\n b")), 2, "a b"),
        (raising(BusFailed("gone")), 1, "gone"),
        (raising(KeyboardInterrupt()), 130, "interrupted by Ctrl-C"),
        (lambda: signalled(signal.SIGINT), 130, "interrupted by Ctrl-C"),
        (told_in_vain, 130, "interrupted by Ctrl-C; the last commit failed"),
        (raising(OSError(28, "No space left on device", "f")), 1, "f: No space left on device"),
        (raising(ConnectionError("it was\nclosed")), 1, "it was closed"),
    ],
)
def test_an_expected_end_is_one_line_and_a_status(
    capsys: pytest.CaptureFixture[str], run: Callable[[], None], status: int, line: str
) -> None:
    with pytest.raises(SystemExit) as ended, errors_as_one_line("candle"):
        run()
    assert ended.value.code == status
    assert capsys.readouterr().err == f"candle: {line}\n"


def test_sigterm_is_no_error_also_after_an_earlier_run_was_interrupted(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with pytest.raises(SystemExit), errors_as_one_line("candle"):
        signalled(signal.SIGINT)
    capsys.readouterr()
    with errors_as_one_line("candle"):
        signalled(signal.SIGTERM)
    assert capsys.readouterr().err == ""


def test_a_word_that_a_service_does_not_take_is_one_line(
    capsys: pytest.CaptureFixture[str],
) -> None:
    with pytest.raises(SystemExit) as ended, errors_as_one_line("candle"):
        OneLineParser(prog="python -m services.candle").parse_args(["--nope"])
    assert ended.value.code == 2
    wrong = "unrecognized arguments: --nope; see `python -m services.candle --help`"
    assert capsys.readouterr().err == f"candle: {wrong}\n"


def test_a_defect_keeps_its_traceback() -> None:
    with pytest.raises(ZeroDivisionError), errors_as_one_line("candle"):
        raising(ZeroDivisionError())()
