"""Settings of the signal service, section [signal]."""

from pydantic import Field

from libs.runtime.process import ServiceProcess
from libs.runtime.settings import Section
from services.signal.domain.signal_book import SignalRules


class SignalSettings(Section):
    """Which signals pass."""

    rules: SignalRules = Field(default_factory=SignalRules, description="maximum age of signals")


class SignalProcess(ServiceProcess):
    """What `python -m services.signal` reads."""

    signal: SignalSettings = SignalSettings()
