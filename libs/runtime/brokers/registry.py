"""The brokers by name. A new one is a folder under libs/broker and a line in CONNECTORS.

Only the modules of the chosen broker are loaded.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Annotated

from pydantic import AfterValidator

from libs.broker.connector import Connector, Surroundings
from libs.broker.kite.settings import KiteSettings
from libs.broker.paper import PaperConnector, PaperRules
from libs.market.bounds import refusal
from libs.market.names import unknown
from libs.runtime.settings import SettingsError


@dataclass(frozen=True, slots=True)
class BrokerSections:
    """The sections of the settings that brokers read."""

    kite: KiteSettings = field(default_factory=KiteSettings)
    paper: PaperRules = field(default_factory=PaperRules)


def _paper(sections: BrokerSections, _: Surroundings) -> Connector:
    return PaperConnector(sections.paper)


def _kite(sections: BrokerSections, around: Surroundings) -> Connector:
    from libs.broker.kite.connector import KiteConnector  # noqa: PLC0415  its client loads slowly

    return KiteConnector(sections.kite, around)


def _simulator(sections: BrokerSections, around: Surroundings) -> Connector:
    from libs.broker.kite.connector import SimulatorConnector  # noqa: PLC0415  as above

    return SimulatorConnector(sections.kite, around)


CONNECTORS: Mapping[str, Callable[[BrokerSections, Surroundings], Connector]] = {
    "paper": _paper,
    "simulator": _simulator,
    "kite": _kite,
}


def connector(name: str, sections: BrokerSections, around: Surroundings) -> Connector:
    """Return the connector of a name; raise SettingsError for unusable settings."""
    try:
        return CONNECTORS[known(name)](sections, around)
    except ValueError as error:
        raise SettingsError(str(error)) from None


def known(name: str) -> str:
    """Return the name; raise ValueError if no broker has it."""
    if name not in CONNECTORS:
        raise refusal(unknown(name, CONNECTORS, "broker"))
    return name


BrokerName = Annotated[str, AfterValidator(known)]
"""A name of CONNECTORS, in settings."""
