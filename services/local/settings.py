"""Settings of the `alphastocks` command: all sections of the file."""

from dataclasses import replace
from typing import Any

from libs.runtime.process import ServiceProcess
from services.candle.settings import CandleSettings
from services.executor.settings import ExecutorSettings
from services.ingest.settings import IngestSettings
from services.position.settings import PositionSettings
from services.signal.settings import SignalSettings
from services.strategy.settings import StrategyChoice, StrategySettings

DEMO_STRATEGIES = (
    StrategyChoice(name="ma_crossover"),
    StrategyChoice(name="ma_crossover", parameters={"interval": "5m"}),
)


class LocalSettings(ServiceProcess):
    """What one process with all services reads."""

    ingest: IngestSettings = IngestSettings()
    candle: CandleSettings = CandleSettings()
    strategy: StrategySettings = StrategySettings()
    signal: SignalSettings = SignalSettings()
    executor: ExecutorSettings = ExecutorSettings()
    position: PositionSettings = PositionSettings()

    def in_paper(self) -> "LocalSettings":
        """Return the settings with paper trading, unless the mode was chosen otherwise."""
        if "mode" in self.executor.model_fields_set:
            return self
        return self.model_copy(
            update={"executor": self.executor.model_copy(update={"mode": "paper"})}
        )

    def for_demo(self) -> "LocalSettings":
        """Return the settings of the demo: paper, and what nobody chose is set to show more.

        The 5-minute crossover runs beside the 15-minute one, and six positions may be open.
        """
        shown: dict[str, Any] = {}
        if "strategies" not in self.strategy.model_fields_set:
            shown["strategy"] = self.strategy.model_copy(update={"strategies": DEMO_STRATEGIES})
        if "limits" not in self.executor.model_fields_set:
            limits = replace(self.executor.limits, positions=6)
            shown["executor"] = self.executor.model_copy(update={"limits": limits})
        return self.model_copy(update=shown).in_paper()

    def public(self) -> dict[str, Any]:
        """Return what decides an outcome: the services' sections, without addresses or secrets."""
        sections = ("candle", "strategy", "signal", "executor", "position", "bus")
        return self.model_dump(mode="json", include=set(sections))
