from datetime import date, time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.simulator.domain.errors import InputError, NotFound
from services.simulator.domain.faults.kinds import KINDS, read_fault
from services.simulator.domain.faults.schedule import FaultBook
from services.simulator.domain.feed.garbage import spoilt
from services.simulator.domain.india_time import at_time

DAY = date(2026, 6, 10)
NOW_MS = at_time(DAY, time(10))
NEEDED: dict[str, dict[str, Any]] = {
    "delay": {"seconds": 1},
    "status": {"status": 502},
    "delay_update": {"seconds": 1},
    "silence": {"seconds": 1},
    "lag": {"seconds": 20},
    "freeze": {"seconds": 1},
    "jump": {"tradingsymbol": "INFY", "factor": 0.9},
    "halt": {"seconds": 60},
    "trade_by_hand": {"tradingsymbol": "INFY", "transaction_type": "BUY", "quantity": 1},
    "set_funds": {"rupees": 1000},
    "spoil_rows": {"field": "quantity"},
}


def book(*faults: dict[str, Any]) -> FaultBook:
    made = FaultBook(DAY)
    for fields in faults:
        made.add(read_fault(fields))
    return made


def hits(made: FaultBook) -> list[int]:
    return [row["hits"] for row in made.rows()]


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_is_read_with_what_it_needs(kind: str) -> None:
    fault = read_fault({"kind": kind, **NEEDED.get(kind, {})})
    assert fault.kind == kind


@pytest.mark.parametrize("kind", KINDS)
def test_an_unknown_field_is_named(kind: str) -> None:
    with pytest.raises(InputError, match=rf"^{kind}: spede: unknown field$"):
        read_fault({"kind": kind, **NEEDED.get(kind, {}), "spede": 1})


@pytest.mark.parametrize(
    ("fields", "named"),
    [
        ({}, "kind: None is none of"),
        ({"kind": "lost"}, "kind: 'lost' is none of lose_reply, lose_request"),
        ({"kind": ["x"]}, "kind:"),
        ({"kind": "delay"}, "delay: seconds: Field required"),
        ({"kind": "status", "status": 200}, "status: status:"),
        ({"kind": "token", "times": 0}, "token: times:"),
        ({"kind": "token", "method": "PATCH"}, "token: method:"),
        ({"kind": "jump", "tradingsymbol": "INFY", "factor": -1}, "jump: factor:"),
        ({"kind": "garbage", "what": "x"}, "garbage: what:"),
    ],
)
def test_an_invalid_fault_is_refused_in_one_line(fields: dict[str, Any], named: str) -> None:
    with pytest.raises(InputError) as refused:
        read_fault(fields)
    assert str(refused.value).startswith(named)
    assert "\n" not in str(refused.value)


@given(st.dictionaries(st.text(), st.none() | st.integers() | st.text() | st.lists(st.text())))
def test_any_fields_without_a_known_kind_are_refused(fields: dict[str, Any]) -> None:
    with pytest.raises(InputError, match=r"^kind: "):
        read_fault(fields | {"kind": "lost"})


def test_a_request_is_met_by_method_and_path() -> None:
    made = book({"kind": "token", "method": "POST", "path": "/orders"})
    assert made.for_request("GET", "/orders", NOW_MS) is None
    assert made.for_request("POST", "/margins/orders", NOW_MS) is None
    assert made.for_request("POST", "/orders/regular", NOW_MS) is not None
    assert made.for_request("POST", "/orders/regular", NOW_MS) is None
    assert hits(made) == [1]


@given(st.integers(0, 5), st.integers(1, 5))
def test_the_first_matches_are_skipped_and_then_so_many_are_hit(skip: int, times: int) -> None:
    made = book({"kind": "lose_update", "skip": skip, "times": times})
    met = [made.for_update(NOW_MS) is not None for _ in range(skip + times + 3)]
    assert met == [False] * skip + [True] * times + [False] * 3


def test_faults_are_applied_in_the_order_in_which_they_were_added() -> None:
    made = book({"kind": "token"}, {"kind": "limit"})
    kinds = [made.for_request("GET", "/", NOW_MS) for _ in range(3)]
    assert [fault and fault.kind for fault in kinds] == ["token", "limit", None]


def test_before_its_time_a_fault_does_nothing() -> None:
    made = book({"kind": "refuse", "at": "10:00:01"})
    assert made.for_upgrade(NOW_MS) is None
    assert made.for_upgrade(NOW_MS + 1000) is not None


def test_faults_of_sockets_and_market_are_applied_once() -> None:
    made = book(
        {"kind": "close"}, {"kind": "halt", "seconds": 5}, {"kind": "close", "at": "11:00:00"}
    )
    assert [fault.kind for fault in made.due_on_sockets(NOW_MS)] == ["close"]
    assert made.due_on_sockets(NOW_MS) == []
    assert [fault.kind for fault in made.due_on_market(NOW_MS)] == ["halt"]
    assert hits(made) == [1, 1, 0]


def test_faults_are_listed_with_their_fields_and_forgotten() -> None:
    made = book({"kind": "token", "at": "10:30:00"}, {"kind": "close"})
    assert made.rows()[0] == {
        "number": 1,
        "kind": "token",
        "at": "10:30:00",
        "times": 1,
        "skip": 0,
        "method": "",
        "path": "/",
        "skipped": 0,
        "hits": 0,
    }
    made.remove(1)
    with pytest.raises(NotFound):
        made.remove(1)
    made.clear()
    assert made.rows() == []


@given(st.binary(min_size=12, max_size=400), st.sampled_from(["count", "cut", "length", "random"]))
def test_garbage_is_never_the_frame_itself(frame: bytes, what: str) -> None:
    assert spoilt(frame, what) != frame or what == "length"
    assert len(spoilt(frame, what)) > 1
