from libs.runtime.health import Health, Waiting
from libs.runtime.metrics import Component


def test_nothing_is_ready_before_a_component_is_known() -> None:
    assert not Health().is_ready


def test_it_is_ready_when_every_required_component_is_well() -> None:
    health = Health()
    health.starting("executor")
    health.starting("executor.tasks")
    health.well("executor")
    assert not health.is_ready
    assert health.report() == {"executor": "ok", "executor.tasks": "starting"}
    health.well("executor.tasks")
    assert health.is_ready


def test_trouble_makes_it_unready_with_the_reason_and_recovery_ready_again() -> None:
    health = Health()
    health.starting("executor")
    health.unwell("executor", "no broker answers")
    assert not health.is_ready
    assert health.report() == {"executor": "no broker answers"}
    health.well("executor")
    assert health.is_ready


def test_what_is_looked_at_counts_like_what_is_reported() -> None:
    found = {"feed": ""}
    health = Health(looks={"feed": lambda: found["feed"]})
    health.well("ingest")
    assert health.is_ready
    found["feed"] = "no tick for 12 s while the market is open"
    assert not health.is_ready
    assert health.report() == {"feed": found["feed"], "ingest": "ok"}
    assert not health.components()["feed"].is_up
    found["feed"] = ""
    assert health.is_ready


def test_an_optional_component_is_shown_but_does_not_make_it_unready() -> None:
    health = Health()
    health.starting("executor")
    health.starting("executor.writer.orders", required=False)
    health.well("executor")
    health.unwell("executor.writer.orders", "the database is away")
    assert health.is_ready
    assert health.report()["executor.writer.orders"] == "the database is away"


def test_optional_components_alone_make_nothing_ready() -> None:
    health = Health()
    health.starting("executor.writer.orders", required=False)
    health.well("executor.writer.orders")
    assert not health.is_ready


def test_a_service_that_is_stopping_is_not_ready() -> None:
    health = Health()
    health.starting("executor")
    health.well("executor")
    health.is_stopping = True
    assert not health.is_ready


def waiting_health() -> tuple[Health, Waiting]:
    """Return the health of a service of which nothing has started, and what it waits for."""
    waiting = Waiting()
    health = Health(waiting)
    health.starting("strategy.tasks")
    health.starting("strategy")
    return health, waiting


def test_a_service_that_waits_for_a_login_or_a_day_is_ready_and_what_waits_is_no_trouble() -> None:
    health, waiting = waiting_health()
    assert not health.is_ready
    with waiting.on("the next trading day"):
        assert health.is_ready
        assert health.components() == {}
    assert not health.is_ready
    assert set(health.components()) == {"strategy", "strategy.tasks"}


def test_what_fails_while_it_waits_makes_it_unready() -> None:
    health, waiting = waiting_health()
    with waiting.on("a login"):
        health.unwell("bus", "no broker answers")
        assert not health.is_ready
        assert health.components() == {"bus": Component(is_up=False, is_required=True)}


def test_waiting_for_one_thing_within_another_goes_back_to_the_first() -> None:
    waiting = Waiting()
    with waiting.on("a login"):
        with waiting.on("the next trading day"):
            assert waiting.reason == "the next trading day"
        assert waiting.reason == "a login"
    assert waiting.reason == ""
