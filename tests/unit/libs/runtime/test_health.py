from libs.runtime.health import Health


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
