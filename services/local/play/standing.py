"""The executor's mode and halt that are in force, as it restores them itself from the bus."""

from typing import NamedTuple

from libs.events.bus import Bus
from libs.events.orders import Mode
from libs.market.calendar import load_calendar
from libs.market.rulebook import load_rulebook
from libs.runtime.logs import logger_of
from libs.runtime.past import past_events
from services.executor.domain.executor import OptionsExecutor
from services.executor.domain.option_market import OptionMarket
from services.executor.domain.risk import RiskBook
from services.executor.settings import ExecutorSettings


class Standing(NamedTuple):
    """The mode, that of the settings, and why no position is opened (None: it is not halted)."""

    mode: Mode
    settings_mode: Mode
    halted_because: str | None

    @property
    def line(self) -> str:
        """Mode and halt, for a person."""
        changed = f" (settings: {self.settings_mode})" if self.mode != self.settings_mode else ""
        halted = f", halted ({self.halted_because})" if self.halted_because else ""
        return f"mode {self.mode}{changed}{halted}"

    @property
    def figures(self) -> dict[str, str]:
        """The rows of a summary."""
        halted = {"halted": self.halted_because} if self.halted_because else {}
        return {"mode": self.mode, **halted}


async def standing(bus: Bus, settings: ExecutorSettings) -> Standing:
    """Return what is in force after all that `control` holds."""
    executor = _executor(settings)
    async for event in past_events(bus, ["control"], logger_of("local")):
        executor.restore(event)
    return Standing(executor.mode, settings.mode, executor.risk.halted_because)


def _executor(settings: ExecutorSettings) -> OptionsExecutor:
    policy = settings.policy()
    return OptionsExecutor(
        mode=settings.mode,
        policy=policy,
        market=OptionMarket(load_calendar(), policy.chain.rate),
        rulebook=load_rulebook(),
        risk=RiskBook(policy.limits, policy.sizing.capital),
    )
