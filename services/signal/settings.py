"""Settings of the signal service, section [signal]."""

from pydantic import Field

from libs.runtime.process import ServiceProcess
from libs.runtime.reading import ReadingSettings
from libs.runtime.settings import Section
from services.signal.domain.rules.settings import SignalFilters, SignalRules


def _passes_all(filters: SignalFilters) -> bool:
    """Whether the setting is left out of the settings' text, which names databases."""
    return filters == SignalFilters()


class SignalSettings(Section):
    """Which signals pass."""

    rules: SignalRules = Field(default_factory=SignalRules, description="maximum age of signals")
    filters: SignalFilters = Field(
        default_factory=SignalFilters,
        description="which signals are passed on at all",
        exclude_if=_passes_all,
    )
    reading: ReadingSettings = Field(ReadingSettings(), description="who may read signals")


class SignalProcess(ServiceProcess):
    """What `python -m services.signal` reads."""

    signal: SignalSettings = SignalSettings()
