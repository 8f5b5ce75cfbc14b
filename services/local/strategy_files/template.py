"""The template of a new strategy: two files, of which each works as it stands."""

import keyword
from pathlib import Path

from libs.errors import AlphaStocksError

STRATEGY = '''"""{title}: what it does, in a sentence."""

from typing import Annotated

from pydantic import Field

from alphastocks import Candle, Strategy, StrategySignal
from alphastocks.indicators import EMA


class {title}(Strategy):
    """Buys when the close crosses above its average, sells when it crosses below."""

    name = "{name}"
    interval = "15m"
    history_needed = 50

    def __init__(self, span: Annotated[int, Field(ge=2, le=500)] = 20) -> None:
        self.average = EMA(span)
        self.was_above: bool | None = None

    def on_candle(self, candle: Candle) -> StrategySignal | None:
        was_above, self.was_above = self.was_above, candle.close > self.average.update(candle.close)
        if was_above is None or was_above == self.was_above:
            return None
        price = candle.close
        if self.was_above:
            return self.buy(candle, stop_loss=0.99 * price, target=1.02 * price, confidence=0.7)
        return self.sell(candle, stop_loss=1.01 * price, target=0.98 * price, confidence=0.7)
'''
TEST = '''"""What {name} must do: run by `alphastocks strategies test`, and by pytest."""

from alphastocks.testing import make_candles, signals_of
from {name} import {title}


def test_it_buys_the_close_that_crosses_above_its_average() -> None:
    candles = make_candles([100.0] * 60 + [99.0, 105.0])
    (signal,) = signals_of({title}(), candles)
    assert (signal.action, signal.price) == ("BUY", 105.0)


def test_it_is_silent_while_the_price_does_not_move() -> None:
    assert signals_of({title}(), make_candles([100.0] * 200)) == ()
'''


class NotWritten(AlphaStocksError):
    """A strategy file that cannot be written; the text says why."""


def write_template(name: str, folder: Path) -> tuple[Path, Path]:
    """Write a strategy and its test into a folder; return their paths.

    Raises NotWritten for a name that is no Python name in small letters, and for a file that is
    there already: nothing is overwritten.
    """
    if not (name.isidentifier() and name == name.lower()) or keyword.iskeyword(name):
        example = "my_strategy"
        raise NotWritten(f"{name!r} is no name such as {example}: small letters, digits and _")
    title = "".join(part.capitalize() for part in name.split("_"))
    paths = folder / f"{name}.py", folder / f"test_{name}.py"
    for path in paths:
        if path.exists():
            raise NotWritten(f"{path} is there already; choose another name, or remove it")
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for path, text in zip(paths, (STRATEGY, TEST), strict=True):
            path.write_text(text.format(name=name, title=title))
    except OSError as error:
        raise NotWritten(f"{folder}: {error.strerror}") from error
    return paths
