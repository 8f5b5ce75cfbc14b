"""Settings of the `alphastocks` command: all sections of the file."""

from dataclasses import replace
from typing import Any

from libs.runtime.clock import ClockKind
from libs.runtime.kite import kite_address
from libs.runtime.settings import SettingsError
from services.executor.settings import short_doubt
from services.ingest.domain.history import HistoryRules
from services.local.catalogue import NAMES, AllSections
from services.local.contradictions import (
    between_choice_and_universe,
    between_filters_and_universe,
    refuse_any,
)
from services.strategy.domain.registry import make_strategy
from services.strategy.finding import known_strategies
from services.strategy.settings import StrategyChoice

DEMO_HISTORY_DAYS = 7
LIVE_HISTORY_DAYS = 90
DEMO_STRATEGIES = (
    StrategyChoice(name="ma_crossover"),
    StrategyChoice(name="ma_crossover", parameters={"interval": "5m"}),
)


class LocalSettings(AllSections):
    """All sections, for a process that runs all services."""

    def in_paper(self) -> "LocalSettings":
        """Return the settings with mode paper, unless a mode was chosen."""
        if "mode" in self.executor.model_fields_set:
            return self
        executor = self.executor.model_copy(update={"mode": "paper"})
        return self._copy({"executor": executor})

    def for_demo(self) -> "LocalSettings":
        """Return the settings of the demo; what the user chose stays as it is.

        Otherwise the mode is paper and the venue the simulator, a 5-minute crossover runs beside
        the 15-minute one, six positions may be open, and history covers all days of the simulator.
        Raises SettingsError if that venue does not fit what was chosen.
        """
        self._check_universe()
        chosen = self.executor.model_fields_set
        executor: dict[str, Any] = {} if "venue" in chosen else {"venue": "simulator"}
        if "limits" not in chosen:
            executor["limits"] = replace(self.executor.limits, positions=6)
        shown: dict[str, Any] = {"executor": self.executor.model_copy(update=executor)}
        if "strategies" not in self.strategy.model_fields_set:
            shown["strategy"] = self.strategy.model_copy(update={"strategies": DEMO_STRATEGIES})
        return self._copy(shown).in_paper()._with_history(DEMO_HISTORY_DAYS)

    def for_kite(self) -> "LocalSettings":
        """Return the settings for the account in [kite]: a real one needs the wall clock.

        Raises SettingsError if another clock was chosen, or for options that are not followed.
        """
        self._check_universe()
        kind: ClockKind = "feed" if kite_address(self.kite).is_local else "wall"
        if "clock" in self.runtime.model_fields_set and self.runtime.clock != kind:
            raise SettingsError(f"runtime.clock: {self.kite.root} needs the clock {kind}")
        runtime = self.runtime.model_copy(update={"clock": kind})
        return self._copy({"runtime": runtime})._with_history(LIVE_HISTORY_DAYS)

    def at_market_pace(self) -> "LocalSettings":
        """Return the settings with the feed's clock at the speed of the simulated market."""
        runtime = self.runtime.model_copy(update={"pace": self.simulator.speed})
        return self.model_copy(update={"runtime": runtime})

    def _copy(self, changes: dict[str, Any]) -> "LocalSettings":
        """Return a copy with other sections; SettingsError if they no longer fit together."""
        copy = self.model_copy(update=changes)
        doubts = short_doubt(copy.executor, copy.kite)
        refuse_any(f"executor.orders.doubt_ms: {why}" for why in doubts)
        return copy

    def _check_universe(self) -> None:
        refuse_any(between_choice_and_universe(self.executor, self.ingest.universe))
        refuse_any(between_filters_and_universe(self.signal.filters, self.ingest.universe))

    def _with_history(self, days: int) -> "LocalSettings":
        """Return the settings with the history that the strategies need, unless one was chosen."""
        if "history" in self.ingest.model_fields_set:
            return self
        choices = self.strategy.strategies
        known = known_strategies(self.strategy.folder, {one.name for one in choices})
        made = [make_strategy(one.name, one.parameters, known) for one in choices]
        intervals = tuple(sorted({i for one in made for i in (one.interval, *one.other_intervals)}))
        ingest = self.ingest.model_copy(update={"history": HistoryRules(days, intervals)})
        return self.model_copy(update={"ingest": ingest})

    def public(self) -> dict[str, Any]:
        """Return the settings that decide an outcome, without addresses and secrets."""
        sections: dict[str, Any] = dict.fromkeys(NAMES, True)
        shown = {**sections, "bus": {"market_partitions"}}
        hidden = {"executor": {"control", "live"}, "signal": {"reading"}}
        return self.model_dump(mode="json", include=shown, exclude=hidden)
