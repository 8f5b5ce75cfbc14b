from prometheus_client.parser import text_string_to_metric_families

from libs.runtime.metrics import Metrics
from libs.runtime.version import VERSION


def samples(metrics: Metrics) -> dict[tuple[str, str], float]:
    """(name, first label's value) → value of everything that is rendered."""
    return {
        (sample.name, next(iter(sample.labels.values()), "")): sample.value
        for family in text_string_to_metric_families(metrics.render().decode())
        for sample in family.samples
        if not sample.name.endswith(("_created", "_bucket"))
    }


def test_every_metric_is_in_our_namespace_and_has_a_text() -> None:
    families = list(text_string_to_metric_families(Metrics("candle").render().decode()))
    assert len(families) > 5
    assert all(family.name.startswith("alphastocks_") for family in families)
    assert all(family.documentation for family in families)


def test_the_service_and_its_version_are_told() -> None:
    (family,) = (
        one
        for one in text_string_to_metric_families(Metrics("candle").render().decode())
        if one.name == "alphastocks_service_info"
    )
    assert family.samples[0].labels == {"service": "candle", "version": VERSION}


def test_what_is_noted_is_rendered() -> None:
    metrics = Metrics("candle")
    metrics.note_handled("TickBatch", 0.25)
    metrics.note_handled("TickBatch", 0.5)
    metrics.note_published("CandleBatch")
    metrics.note_age("TickBatch", 1.5)
    metrics.note_insert("orders", 70, 0.1)
    metrics.dead_letters.labels("ticks").inc()
    shown = samples(metrics)
    assert shown["alphastocks_events_handled_total", "TickBatch"] == 2
    assert shown["alphastocks_handler_seconds_sum", "TickBatch"] == 0.75
    assert shown["alphastocks_events_published_total", "CandleBatch"] == 1
    assert shown["alphastocks_data_age_seconds", "TickBatch"] == 1.5
    assert shown["alphastocks_rows_inserted_total", "orders"] == 70
    assert shown["alphastocks_insert_seconds_count", "orders"] == 1
    assert shown["alphastocks_dead_letters_total", "ticks"] == 1


def test_the_metrics_of_two_services_in_one_process_are_apart() -> None:
    one, other = Metrics("candle"), Metrics("signal")
    one.note_published("CandleBatch")
    assert ("alphastocks_events_published_total", "CandleBatch") not in samples(other)


def test_only_the_service_that_knows_it_shows_a_number_of_its_own() -> None:
    candle, position = Metrics("candle"), Metrics("position")
    position.positions.open.set(0)
    assert ("alphastocks_positions_open", "") in samples(position)
    assert ("alphastocks_positions_open", "") not in samples(candle)
