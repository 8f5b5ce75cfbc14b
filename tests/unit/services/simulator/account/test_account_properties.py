"""What holds for every account whatever is asked of it."""

from decimal import Decimal
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from services.simulator.domain.account import Account
from services.simulator.domain.errors import KiteError
from tests.proofs import examples
from tests.unit.services.simulator.account.market_stand_in import CALL, Floor, at

FUNDS = Decimal(2_000_000)
ENDED = {"COMPLETE", "CANCELLED", "REJECTED"}
REQUESTED = {
    "PUT ORDER REQ RECEIVED",
    "VALIDATION PENDING",
    "OPEN PENDING",
    "MODIFY VALIDATION PENDING",
    "MODIFY PENDING",
    "CANCEL PENDING",
}


def rupees(steps: int) -> float:
    """Return a price on the tick."""
    return round(steps * 0.05, 2)


prices = st.integers(1980, 2020).map(rupees)


@st.composite
def placing(draw: st.DrawFn) -> dict[str, Any]:
    """Draw an order's fields; stops mostly on the right side of prices around 100."""
    side = draw(st.sampled_from(["BUY", "SELL"]))
    away = draw(st.integers(0, 60)) * (1 if side == "BUY" else -1)
    return {
        "transaction_type": side,
        "order_type": draw(st.sampled_from(["LIMIT", "LIMIT", "SL", "MARKET", "SL-M"])),
        "price": draw(prices) if away % 2 else rupees(2000 + away),
        "trigger_price": rupees(2000 + away // 2),
        "market_protection": draw(st.sampled_from([-1, 1, 5])),
        "quantity": draw(st.sampled_from([65, 130, 195, 66])),
        "product": draw(st.sampled_from(["NRML", "MIS"])),
        "validity": draw(st.sampled_from(["DAY", "DAY", "DAY", "IOC", "TTL"])),
        "validity_ttl": 1,
    }


changing = st.fixed_dictionaries({"price": prices, "quantity": st.sampled_from([65, 130, 260])})
quoting = st.fixed_dictionaries(
    {
        "bid": prices,
        "spread": st.sampled_from([0.05, 0.05, 0.1, 1.0, -0.05]),
        "quantity": st.sampled_from([65, 100, 130, 650, 0]),
    }
)
steps = st.lists(
    st.one_of(
        st.tuples(st.just("place"), placing()),
        st.tuples(st.just("second"), quoting),
        st.tuples(st.just("place"), placing()),
        st.tuples(st.just("second"), quoting),
        st.tuples(st.just("second"), quoting),
        st.tuples(st.just("modify"), changing),
        st.tuples(st.just("cancel"), st.none()),
        st.tuples(st.just("convert"), st.sampled_from(["BUY", "SELL"])),
    ),
    min_size=12,
    max_size=40,
)


def take(floor: Floor, step: tuple[str, Any], pick: int) -> None:
    """Do one step, whatever the account makes of it."""
    kind, asked = step
    try:
        _do(floor, kind, asked, pick)
    except KiteError:
        assert kind != "second"


def _do(floor: Floor, kind: str, asked: Any, pick: int) -> None:
    if kind == "second":
        ask = round(asked["bid"] + asked["spread"], 2)
        floor.go(bid=asked["bid"], ask=ask, quantity=asked["quantity"])
    elif kind == "place":
        floor.place(**asked)
    elif kind == "convert":
        floor.account.convert(_conversion(asked))
    else:
        order_id = chosen(floor.account, pick)
        if kind == "modify":
            fields = {name: str(value) for name, value in asked.items()}
            floor.account.modify("regular", order_id, fields, floor.now_ms)
        else:
            floor.account.cancel("regular", order_id, floor.now_ms)


def _conversion(side: str) -> dict[str, str]:
    return {
        "exchange": "NFO",
        "tradingsymbol": CALL,
        "transaction_type": side,
        "position_type": "day",
        "quantity": "65",
        "old_product": "MIS",
        "new_product": "NRML",
    }


def chosen(account: Account, pick: int) -> str:
    """Return the id of one of the orders, of a working one where there is any."""
    rows = account.orders()
    rows = [row for row in rows if row["status"] not in ENDED] or rows
    return str(rows[pick % len(rows)]["order_id"]) if rows else "none"


def replies(account: Account) -> dict[str, Any]:
    """Return everything that an account shows."""
    return {
        "orders": account.orders(),
        "histories": [account.order_history(row["order_id"]) for row in account.orders()],
        "trades": account.trades(),
        "positions": account.positions(),
        "margins": account.margins(),
        "tokens": account.working_tokens(),
    }


@given(steps)
@examples(30)
def test_the_quantities_of_an_order_add_up(taken: list[tuple[str, Any]]) -> None:
    floor = Floor(funds=FUNDS)
    for number, step in enumerate(taken):
        take(floor, step, number)
        for row in floor.account.orders():
            parts = (row["filled_quantity"], row["pending_quantity"], row["cancelled_quantity"])
            assert min(parts) >= 0
            assert sum(parts) == (0 if row["status"] == "REJECTED" else row["quantity"])
            fills = floor.account.order_trades(row["order_id"])
            assert sum(fill["quantity"] for fill in fills) == row["filled_quantity"]
            assert row["status"] in ENDED or row["pending_quantity"] > 0


@given(steps)
@examples(30)
def test_money_and_positions_agree_with_the_fills(taken: list[tuple[str, Any]]) -> None:
    floor = Floor(funds=FUNDS)
    for number, step in enumerate(taken):
        take(floor, step, number)
    fills = floor.account.trades()
    units = sum(fill["quantity"] * _sign(fill) for fill in fills)
    earned = -sum(fill["quantity"] * fill["average_price"] * _sign(fill) for fill in fills)
    net = floor.account.positions()["net"]
    assert sum(row["quantity"] for row in net) == units
    assert abs(sum(row["value"] for row in net) - earned) < 0.01
    floor.account.match(at("15:30"))
    margins = floor.account.margins("equity")
    blocked = margins["utilised"]["span"] + margins["utilised"]["exposure"]
    assert abs(margins["net"] + blocked - (float(FUNDS) + earned)) < 0.01


def _sign(fill: dict[str, Any]) -> int:
    return 1 if fill["transaction_type"] == "BUY" else -1


@given(steps)
@examples(30)
def test_no_fill_is_beyond_the_limit_it_was_made_under(taken: list[tuple[str, Any]]) -> None:
    floor = Floor(funds=FUNDS)
    limits: dict[str, float] = {}
    seen = 0
    for number, step in enumerate(taken):
        take(floor, step, number)
        limits |= {row["order_id"]: row["price"] for row in floor.account.orders()}
        for fill in floor.account.trades()[seen:]:
            worse = fill["average_price"] - limits[fill["order_id"]]
            assert (worse if fill["transaction_type"] == "BUY" else -worse) <= 1e-9
        seen = len(floor.account.trades())


@given(steps, st.integers(0, 40))
@examples(30)
def test_a_restart_changes_neither_replies_nor_the_future(
    taken: list[tuple[str, Any]], restart_at: int
) -> None:
    lasting, restarted = Floor(funds=FUNDS), Floor(funds=FUNDS)
    for number, step in enumerate(taken):
        if number == restart_at:
            restarted.restart()
        take(lasting, step, number)
        take(restarted, step, number)
    assert replies(restarted.account) == replies(lasting.account)
    assert restarted.account.take_updates() == lasting.account.take_updates()


@given(steps)
@examples(30)
def test_each_step_at_the_exchange_is_told_once_and_nothing_else(
    taken: list[tuple[str, Any]],
) -> None:
    floor = Floor(funds=FUNDS)
    for number, step in enumerate(taken):
        take(floor, step, number)
    updates = floor.account.take_updates()
    assert floor.account.take_updates() == []
    for row in floor.account.orders():
        told = [update for update in updates if update["order_id"] == row["order_id"]]
        assert [_seen(update) for update in told] == [
            _seen(step) for step in _at_exchange(floor.account.order_history(row["order_id"]))
        ]
        if row["status"] in ENDED:
            assert {key: told[-1][key] for key in row} == row


def _at_exchange(history: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the steps that are no mere request: a fill of a part counts in any state."""
    filled, steps_there = 0, []
    for row in history:
        if row["status"] not in REQUESTED or row["filled_quantity"] > filled:
            steps_there.append(row)
        filled = row["filled_quantity"]
    return steps_there


def _seen(row: dict[str, Any]) -> tuple[Any, ...]:
    """Return what an update and a step have in common; UPDATE stands for several states."""
    return row["order_id"], row["filled_quantity"], row["price"], row["exchange_update_timestamp"]


@given(steps)
@examples(25)
def test_the_close_leaves_no_order_working(taken: list[tuple[str, Any]]) -> None:
    floor = Floor(funds=FUNDS)
    for number, step in enumerate(taken):
        take(floor, step, number)
    floor.jump("15:30:01")
    assert all(row["status"] in ENDED for row in floor.account.orders())
