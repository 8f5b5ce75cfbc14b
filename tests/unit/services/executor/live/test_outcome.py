"""Nobody can trade live by mistake: every combination, and the table of them in the docs."""

from pathlib import Path

from libs.events.reasons import UNTRADED
from services.executor.domain.live.outcome import Footing, Situation, outcome_of
from services.executor.domain.live.table import all_situations, outcome_table

PAGE = Path("docs/going-live.md")
SITUATIONS = [situation for _, situation in all_situations()]


def test_the_table_in_the_docs_is_what_the_code_does() -> None:
    assert outcome_table() in PAGE.read_text(), f"put the table of outcome_table() into {PAGE}"


def test_live_orders_are_sent_only_with_mode_session_and_arming() -> None:
    sends = [one for one in SITUATIONS if outcome_of(one).happens == "trades_live"]
    assert {(one.mode, one.has_session, one.is_armed) for one in sends} == {("live", True, True)}
    footings = {one.footing for one in sends}
    assert {one for one in footings if one.venue == "real"} == {Footing("real", "wall", "kafka")}
    assert {one.clock for one in footings if one.venue == "simulator"} == {"feed"}
    assert all(one.venue != "paper" for one in footings)


def test_what_is_not_live_never_starts_on_a_real_account() -> None:
    real = [one for one in SITUATIONS if one.footing.venue == "real" and one.mode != "live"]
    assert {outcome_of(one).happens for one in real} == {"refuses_to_start"}
    assert len(real) == 3 * 2 * 2 * 2 * 2


def test_a_mode_that_was_changed_to_what_must_not_start_sends_no_entry() -> None:
    now = Situation("paper", Footing("real", "wall", "kafka"), has_session=True, is_armed=True)
    assert outcome_of(now).refusal == "mode_unfit"


def test_each_refusal_of_entries_has_words_and_each_refusal_to_start_names_its_setting() -> None:
    for situation in SITUATIONS:
        outcome = outcome_of(situation)
        if outcome.happens == "refuses_to_start":
            assert outcome.why.split(":")[0] in {"executor.venue", "runtime.clock", "bus.kind"}
        else:
            assert not outcome.refusal or outcome.refusal in UNTRADED
