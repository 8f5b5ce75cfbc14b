"""The stop that rests at the exchange: a stop-limit sale of the confirmed quantity.

It is kept in step with what is held and with the stop's level, and outlives our processes. A stop
that vanishes is placed again; until one stands, a person is told after five seconds. One that was
triggered and does not fill within a second is handed to the exit ladder. Pure: times are given.
"""

from services.executor.domain.resting_stop.levels import StopLevels, levels_of
from services.executor.domain.resting_stop.rules import RestingStopRules
from services.executor.domain.resting_stop.stop import (
    CancelStop,
    HandOver,
    ModifyStop,
    PlaceStop,
    RestingStop,
    StopMissing,
    StopMove,
    StopOrder,
    Wanted,
)

__all__ = [
    "CancelStop",
    "HandOver",
    "ModifyStop",
    "PlaceStop",
    "RestingStop",
    "RestingStopRules",
    "StopLevels",
    "StopMissing",
    "StopMove",
    "StopOrder",
    "Wanted",
    "levels_of",
]
