"""At which pace the services' clock goes by itself: the simulated market's, none in lockstep."""

from typing import Any

from libs.runtime.clock import FeedClock
from services.local.play.exchange import LocalExchange
from services.local.play.serving import account_wiring
from services.local.settings import LocalSettings

PLAIN = LocalSettings()
LOCAL = PLAIN.kite.model_copy(
    update={"api_key": "key", "root": "http://127.0.0.1:1", "ws_root": "ws://127.0.0.1:1"}
)


def at_speed(speed: float) -> LocalSettings:
    return PLAIN.model_copy(
        update={"simulator": PLAIN.simulator.model_copy(update={"speed": speed})}
    )


def test_services_as_processes_get_the_speed_of_the_simulated_market_as_their_pace() -> None:
    paced = at_speed(60.0).at_market_pace()
    assert paced.runtime.pace == 60.0
    assert paced == at_speed(60.0).model_copy(update={"runtime": paced.runtime})


def test_in_one_process_the_clock_goes_at_that_speed_and_in_lockstep_it_stands() -> None:
    server: Any = object()
    exchange = LocalExchange(server, LOCAL)
    assert exchange.wiring(PLAIN.ingest, 60.0).clock.pace == 60.0
    assert not exchange.wiring(PLAIN.ingest).clock.runs


def test_a_service_on_a_simulator_elsewhere_has_the_pace_of_the_settings() -> None:
    runtime = PLAIN.runtime.model_copy(update={"pace": 10.0})
    settings = PLAIN.model_copy(update={"kite": LOCAL, "runtime": runtime})
    clock = account_wiring(settings).clock
    assert isinstance(clock, FeedClock)
    assert clock.pace == 10.0
