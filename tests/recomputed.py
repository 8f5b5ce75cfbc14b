"""What the executor decided, computed again from a decision's record alone.

A second implementation on purpose: plain Python on the record's JSON, with nothing of the project.
"""

import json
import math
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta, timezone
from decimal import ROUND_CEILING, ROUND_FLOOR, ROUND_HALF_UP, Decimal
from statistics import NormalDist, median
from typing import Any

Record = dict[str, Any]
Row = Mapping[str, Any]
SOON = ("expiry_day", "expiry_is_near", "expiry_is_over", "settled_in_shares")
INDIA = timezone(timedelta(hours=5, minutes=30))
MINUTE_MS, YEAR_MS = 60_000, 365 * 86_400_000
MINUTES = {"1m": 1, "3m": 3, "5m": 5, "10m": 10, "15m": 15, "30m": 30, "60m": 60, "day": 1440}
CLOCK_MAY_BE_OFF_MS = 2_000
ALONE = {"old_quote": "old_quotes", "far_from_wanted": "far_from_wanted", "low_delta": "low_delta"}

NORMAL = NormalDist()


def differences(record: Record) -> list[str]:
    """Return in what a record differs from what its own inputs give; empty: in nothing."""
    inputs, table = record["inputs"], record["candidates"]
    told = [*_chain_differs(inputs, record["trading_day"]), *_table_differs(inputs, table)]
    reason = next(_reasons(record), "")
    if reason != record["reason"]:
        told.append(f"reason {record['reason']!r}, computed {reason!r}")
    if not record["reason"]:
        told += _trade_differs(record)
    return [f"{record['signal_id']}: {one}" for one in told]


def read(lines: str) -> list[Record]:
    """Return the records of a decisions.jsonl."""
    return [json.loads(line) for line in lines.splitlines()]


def _reasons(record: Record) -> Iterator[str]:
    """Yield all reasons against the trade, in the order in which they are asked."""
    inputs, table = record["inputs"], record["candidates"]
    if inputs["mode"] == "disabled":
        yield "disabled"
    yield from _of_signal(inputs, record["underlying"])
    yield from _of_windows(inputs, record["strategy"])
    yield from _of_limits(inputs["risk"])
    yield from _after_stops(inputs)
    expiry_reason = _expiry(inputs, record["trading_day"])[1]
    if expiry_reason:
        yield expiry_reason
        return
    yield from _of_spot(inputs)
    if not any(row["refusal"] == "" for row in table):
        against = {row["refusal"] for row in table}
        yield ALONE.get(against.pop(), "no_contract") if len(against) == 1 else "no_contract"
        return
    premium, caps = _caps(inputs, _best(inputs, table))
    if _levels_collapse(inputs, premium):
        yield "levels_collapse"
        return
    if min(caps.values()) <= 0:
        yield "zero_lots"
    yield from _of_checks(inputs)


def _of_windows(inputs: Record, strategy: str) -> Iterator[str]:
    entry = inputs["rules"]["entry"]
    windows = entry["windows_of"].get(strategy) or inputs["terms"]["windows"] or entry["windows"]
    at = f"{_india(inputs['at_ms']):%H:%M:%S.%f}"
    if windows and not any(one["first"] <= at <= f"{one['last']}.000000" for one in windows):
        yield "outside_entry_windows"


def _of_signal(inputs: Record, underlying: str) -> Iterator[str]:
    signal, entry, now_ms = inputs["signal"], inputs["rules"]["entry"], inputs["at_ms"]
    if not all(signal[name] > 0 for name in ("price", "stop_loss", "target")):
        yield "impossible_price"
    if entry["underlyings"] and underlying not in entry["underlyings"]:
        yield "underlying_not_allowed"
    oldest_ms = 2 * MINUTES[signal["interval"]] * MINUTE_MS
    if entry["max_age_seconds"] is not None:
        oldest_ms = 1000 * entry["max_age_seconds"]
    if now_ms - signal["occurred_ms"] > min(oldest_ms, 1440 * MINUTE_MS):
        yield "stale"
    last = entry["last_entry"][:5]
    closes_ms = inputs["listing"]["day_closes_ms"]
    if closes_ms is not None:
        last = min(last, _clock(closes_ms - entry["before_close_ms"]))
    if _clock(now_ms) >= last:
        yield "too_late_in_the_day"
    if not signal["confidence"] >= entry["min_confidence"]:
        yield "low_confidence"
    if not signal["expected_move"] >= entry["min_expected_move"]:
        yield "low_expected_move"


def _clock(at_ms: int) -> str:
    return f"{_india(at_ms):%H:%M}"


def _india(at_ms: int) -> datetime:
    return datetime.fromtimestamp(at_ms / 1000, UTC).astimezone(INDIA)


def _of_limits(risk: Record) -> Iterator[str]:
    if risk["halted_because"]:
        yield "kill_switch"
    if risk["quarantined_because"]:
        yield "quarantine"
    if risk["reached"] is not None:
        yield risk["reached"]["name"]
    for limit in risk["limits"]:
        if Decimal(limit["value"]) >= Decimal(limit["maximum"]):
            yield limit["name"]


def _after_stops(inputs: Record) -> Iterator[str]:
    rules, stops = inputs["rules"]["reentry"], inputs["risk"]["stops_ms"]
    if rules["most_a_day"] is None or not stops:
        return
    if len(stops) > rules["most_a_day"]:
        yield "reentries_a_day"
    if inputs["at_ms"] - max(stops) < rules["after_ms"]:
        yield "reentry_too_soon"
    if inputs["signal"]["occurred_ms"] <= max(stops):
        yield "signal_before_stop"


def _expiry(inputs: Record, day: str) -> tuple[str | None, str]:
    """Return the expiry to buy, or None and why there is none."""
    listing, rules, now_ms = inputs["listing"], inputs["rules"], inputs["at_ms"]
    if not listing["is_day_in_calendar"]:
        return None, "no_calendar"
    if listing["listed_on"] not in (None, day):
        return None, "not_listed_today"
    if not listing["expiries"]:
        return None, "no_chain"
    for one in listing["considered"]:
        reason = _against_expiry(one, rules["entry"], now_ms)
        if not reason:
            return one["expiry"], ""
        is_soon = reason in SOON
        if rules["entry"]["near_expiry"] == "refuse" or not is_soon:
            return None, reason
    return None, "more_expiries_needed"


def _against_expiry(one: Row, entry: Record, now_ms: int) -> str:
    if not one["is_in_calendar"]:
        return "calendar_ends"
    if one["closes_ms"] is None:
        return "expiry_unknown"
    if one["closes_ms"] <= now_ms:
        return "expiry_is_over"
    if entry["expiry_day"] == "refuse" and f"{_india(now_ms):%Y-%m-%d}" == one["expiry"]:
        return "expiry_day"
    if one["closes_ms"] - entry["before_expiry_ms"] <= now_ms:
        return "expiry_is_near"
    leave_by_ms, before_ms = one["leave_by_ms"], entry["before_expiry_ms"]
    is_late = leave_by_ms is not None and now_ms >= leave_by_ms - before_ms
    return "settled_in_shares" if is_late else ""


def _of_spot(inputs: Record) -> Iterator[str]:
    spot, chain = inputs["spot"], inputs["rules"]["chain"]
    budget = chain["index_budget_ms"] if spot["is_index"] else chain["quote_budget_ms"]
    if inputs["at_ms"] - spot["at_ms"] > budget:
        yield "old_spot"


def _of_account(inputs: Record) -> Iterator[str]:
    live = inputs["live"]
    if inputs["mode"] == "live" and not live["has_session"]:
        yield "no_session"
    if inputs["mode"] == "live" and not live["is_armed"]:
        yield "not_armed"
    if inputs["at_ms"] < inputs["checks"]["paused_until_ms"]:
        yield "margin_pause"


def _of_checks(inputs: Record) -> Iterator[str]:
    checks, plan, now_ms = inputs["checks"], inputs["plan"], inputs["at_ms"]
    tick, lot = Decimal(inputs["contract"]["tick_size"]), inputs["contract"]["lot_size"]
    limit = Decimal(plan["limit_price"])
    yield from _of_account(inputs)
    if abs(inputs["clock_off_ms"]) > CLOCK_MAY_BE_OFF_MS:
        yield "clock_off"
    if inputs["silent_since_ms"]:
        yield "feed_silent"
    budgets = inputs["budgets_ms"]
    if any(age > budgets[hop] for hop, age in inputs["ages_ms"].items() if hop in budgets):
        yield "old_data"
    sessions = zip(checks["opens_ms"], checks["closes_ms"], strict=True)
    if not any(opens <= now_ms < closes for opens, closes in sessions):
        yield "market_closed"
    if checks["square_off"] is not None and _clock(now_ms) >= checks["square_off"]:
        yield "after_square_off"
    if any(not one or one % lot for one in checks["quantities"]):
        yield "odd_lot"
    if limit <= 0 or limit % tick:
        yield "off_tick"
    freeze = checks["freeze_quantity"]
    if freeze is not None and max(checks["quantities"]) > freeze:
        yield "above_freeze"
    if checks["highest_price"] is not None and limit > Decimal(checks["highest_price"]):
        yield "outside_price_range"
    needed, there = checks["required_margin"], checks["available_margin"]
    if needed is not None and there is not None and Decimal(needed) > Decimal(there):
        yield "margin_short"


def _chain_differs(inputs: Record, day: str) -> Iterator[str]:
    chain, spot = inputs["chain"], inputs["spot"]
    if chain is None:
        return
    years = (chain["closes_ms"] - inputs["at_ms"]) / YEAR_MS
    grown = math.exp(chain["rate"] * years)
    forward = spot["price"] * math.exp(chain["rate_of_spot"] * years)
    if chain["pairs"]:
        forward = median(p["strike"] + (p["call"] - p["put"]) * grown for p in chain["pairs"])
    if not math.isclose(forward, chain["forward"], rel_tol=1e-12):
        yield f"forward {chain['forward']}, computed {forward}"
    expiry, _ = _expiry(inputs, day)
    if expiry != chain["expiry"]:
        yield f"expiry {chain['expiry']}, computed {expiry}"


def _table_differs(inputs: Record, table: Sequence[Row]) -> Iterator[str]:
    """Yield what is wrong with the table: steps, refusals, volatilities, deltas, terms, scores."""
    if not table:
        return
    chain, strikes = inputs["chain"], inputs["chain"]["strikes"]
    off = _off_wanted(inputs, table)
    at_the_money = min(strikes, key=lambda strike: (abs(strike - inputs["spot"]["price"]), strike))
    terms = _terms(inputs, table)
    for row in table:
        name = row["tradingsymbol"]
        if row["strikes_from_atm"] != strikes.index(row["strike"]) - strikes.index(at_the_money):
            yield f"{name}: {row['strikes_from_atm']} strikes from the money"
        against = _against(row, inputs, off.get(name))
        if name in off and not math.isclose(row["off_wanted"], off[name][0], abs_tol=2e-9):
            yield f"{name}: {row['off_wanted']} off, computed {off[name][0]}"
        if row["refusal"] != against:
            yield f"{name}: refused for {row['refusal']!r}, computed {against!r}"
        yield from _greeks_differ(row, chain, inputs["signal"]["action"] == "BUY")
        if not row["refusal"]:
            for term, value in terms[name].items():
                if not math.isclose(row[term], value, abs_tol=2e-9):
                    yield f"{name}: {term} {row[term]}, computed {value}"


def _against(row: Row, inputs: Record, off: tuple[float, bool] | None) -> str:
    rules, now_ms = inputs["rules"]["chain"], inputs["at_ms"]
    bid, ask, age_ms = row["bid_price"], row["ask_price"], round(1000 * row["quote_age_seconds"])
    if rules["quote_budget_ms"] < age_ms < now_ms:  # one that was never quoted is as old as time
        return "old_quote"
    if bid is None or ask is None or not 0 < bid <= ask:
        return "no_two_sided_quote"
    if row["volume"] < rules["min_volume"]:
        return "low_volume"
    if row["oi"] < rules["min_oi"]:
        return "low_oi"
    if not (ask - bid) / ((ask + bid) / 2) < rules["max_spread"]:
        return "wide_spread"
    return _against_profile(row, inputs, off)


def _against_profile(row: Row, inputs: Record, off: tuple[float, bool] | None) -> str:
    least = inputs["terms"]["min_delta"]
    if least is not None and not (row["delta"] is not None and abs(row["delta"]) >= least):
        return "low_delta"
    is_near = inputs["terms"]["strike"]["by"] == "score" or (off is not None and off[1])
    return "" if is_near else "far_from_wanted"


WITHIN = {"moneyness": 2, "strikes": 2, "delta": 0.1, "premium": 0.3}


def _off_wanted(inputs: Record, table: Sequence[Row]) -> dict[str, tuple[float, bool]]:
    """Return how far contracts are from the nearest that is wanted, and whether one is near."""
    choice = inputs["terms"]["strike"]
    found = {}
    for row in table if choice["by"] != "score" else ():
        each = [_off(inputs, row, wanted) for wanted in choice["wanted"]]
        known = [one for one in each if one is not None]
        if known:
            found[row["tradingsymbol"]] = min(known)[0], any(is_near for _, is_near in known)
    return found


def _off(inputs: Record, row: Row, wanted: float) -> tuple[float, bool] | None:
    """Return how far a contract is from a number that is wanted, and whether it is near enough."""
    choice, chain = inputs["terms"]["strike"], inputs["chain"]
    reach = WITHIN[choice["by"]] if choice["within"] is None else choice["within"]
    sign = 1 if inputs["signal"]["action"] == "BUY" else -1
    if choice["by"] == "moneyness":
        return _off_in_percent(chain, row["strike"], wanted, sign, reach)
    if choice["by"] == "strikes":
        off = abs(-sign * row["strikes_from_atm"] - wanted)
    elif choice["by"] == "delta":
        if row["delta"] is None:
            return None
        off = abs(abs(row["delta"]) - wanted)
    else:
        bid, ask = row["bid_price"], row["ask_price"]
        if row["refusal"] == "old_quote" or bid is None or not 0 < bid <= ask:
            return None
        off = abs(ask - wanted) / wanted
    return round(off, 9), round(off, 9) <= reach


def _off_in_percent(
    chain: Record, strike: float, wanted: float, sign: int, reach: float
) -> tuple[float, bool]:
    forward, strikes = chain["forward"], chain["strikes"]
    off = abs(sign * (forward - strike) / forward * 100 - wanted)
    there = forward * (1 - sign * wanted / 100)
    nearest = min(strikes, key=lambda one: abs(one - there))
    steps = abs(strikes.index(strike) - strikes.index(nearest))
    lowest = strikes[0] - (strikes[1] - strikes[0]) / 2
    highest = strikes[-1] + (strikes[-1] - strikes[-2]) / 2
    return round(off, 9), steps <= reach and lowest <= there <= highest


def _greeks_differ(row: Row, chain: Record, is_call: bool) -> Iterator[str]:
    volatility = row["implied_volatility"]
    if volatility is None:
        return
    name, root = row["tradingsymbol"], math.sqrt(chain["years"])
    discount = math.exp(-chain["rate"] * chain["years"])
    d1 = math.log(chain["forward"] / row["strike"]) / (volatility * root) + volatility * root / 2
    sign = 1 if is_call else -1
    first, second = NORMAL.cdf(sign * d1), NORMAL.cdf(sign * (d1 - volatility * root))
    value = sign * discount * (chain["forward"] * first - row["strike"] * second)
    mid = (row["bid_price"] + row["ask_price"]) / 2
    if not math.isclose(value, mid, abs_tol=1e-4):
        yield f"{name}: at volatility {volatility} it is worth {value}, quoted {mid}"
    if not math.isclose(sign * discount * first, row["delta"], abs_tol=1e-6):
        yield f"{name}: delta {row['delta']}, computed {sign * discount * first}"


def _terms(inputs: Record, table: Sequence[Row]) -> dict[str, dict[str, float]]:
    """Return the terms and the score of each contract that may be traded."""
    rows = [row for row in table if not row["refusal"]]
    if not rows:
        return {}
    weights = inputs["rules"]["weights"]
    nan = math.nan
    deltas = [nan if row["delta"] is None else abs(abs(row["delta"]) - 0.5) for row in rows]
    volatilities = [row["implied_volatility"] or nan for row in rows]
    most_volume = max(1.0, *(row["volume"] for row in rows))
    most_oi = max(1.0, *(row["oi"] for row in rows))
    columns = {
        "distance": _least_is_one([abs(row["strikes_from_atm"]) for row in rows], 0.0),
        "delta": _least_is_one(deltas, 0.0),
        "volatility": _least_is_one(volatilities),
        "liquidity": [(r["volume"] / most_volume + r["oi"] / most_oi) / 2 for r in rows],
        "spread": _least_is_one([row["spread_fraction"] for row in rows]),
    }
    made = {}
    for at, row in enumerate(rows):
        terms = {f"{name}_term": column[at] for name, column in columns.items()}
        score = sum(weights[name] * column[at] for name, column in columns.items())
        made[row["tradingsymbol"]] = terms | {"score": score}
    return made


def _least_is_one(values: Sequence[float], least: float | None = None) -> list[float]:
    known = [value for value in values if not math.isnan(value)]
    low = (min(known) if known else 0.0) if least is None else least
    span = (max(known) if known else 0.0) - low
    return [
        0.0 if math.isnan(value) else 1.0 if span <= 0 else 1.0 - (value - low) / span
        for value in values
    ]


def _best(inputs: Record, table: Sequence[Row]) -> Row:
    scores = {name: terms["score"] for name, terms in _terms(inputs, table).items()}
    rows = [row for row in table if row["tradingsymbol"] in scores]
    if inputs["terms"]["strike"]["by"] != "score":
        rows = list(_nearest_to_wanted(inputs, rows))
    return min(
        rows,
        key=lambda row: (
            -round(scores[row["tradingsymbol"]], 9),
            abs(row["strikes_from_atm"]),
            row["strike"],
        ),
    )


def _nearest_to_wanted(inputs: Record, rows: Sequence[Row]) -> Iterator[Row]:
    for wanted in inputs["terms"]["strike"]["wanted"]:
        offs = [(_off(inputs, row, wanted), row) for row in rows]
        near = [
            (off[0], abs(row["strikes_from_atm"]), row["strike"], row)
            for off, row in offs
            if off is not None and off[1]
        ]
        if near:
            yield min(near, key=lambda one: one[:3])[3]


def _caps(inputs: Record, row: Row) -> tuple[Decimal, Counter[str]]:
    """Return the premium, and how many lots each cap allows."""
    rules, contract = inputs["rules"], inputs["contract"]
    sizing, terms = rules["sizing"], inputs["terms"]
    stop, most = Decimal(terms["stop"]), terms["max_position"] or sizing["max_position"]
    premium, lot = Decimal(str(round(row["ask_price"], 2))), contract["lot_size"]
    levels = _levels(inputs, premium)
    capital = Decimal(sizing["capital"])
    risk, at_limit = premium * stop * lot, (levels["limit_price"] - levels["stop_loss"]) * lot
    budgets = {
        "by_risk": capital * Decimal(terms["risk"]) / risk,
        "by_cost": capital * Decimal(most) / (levels["limit_price"] * lot),
        "by_capital_at_risk": Decimal(inputs["risk"]["left"]) / max(at_limit, risk),
        "by_lots_a_trade": Decimal(rules["limits"]["lots_a_trade"]),
    }
    whole = {name: int(lots.to_integral(ROUND_FLOOR)) for name, lots in budgets.items()}
    return premium, Counter(whole)


def _levels(inputs: Record, premium: Decimal) -> dict[str, Decimal]:
    rules, tick = inputs["rules"], Decimal(inputs["contract"]["tick_size"])
    stop, target = Decimal(inputs["terms"]["stop"]), Decimal(inputs["terms"]["target"])
    buffer = Decimal(rules["orders"]["limit_buffer"])
    return {
        "limit_price": (premium * (1 + buffer) / tick).to_integral(ROUND_CEILING) * tick,
        "stop_loss": max(tick, _nearest(premium * (1 - stop), tick)),
        "target": max(tick, _nearest(premium * (1 + target), tick)),
    }


def _levels_collapse(inputs: Record, premium: Decimal) -> bool:
    """Whether stop, premium, bookings and target do not rise on the tick grid."""
    levels, tick = _levels(inputs, premium), Decimal(inputs["contract"]["tick_size"])
    gains = [Decimal(one["gain"]) for one in inputs["terms"]["bookings"]]
    booked = [max(tick, _nearest(premium * (1 + gain), tick)) for gain in gains]
    first = booked[0] if booked else levels["target"]
    rises = levels["stop_loss"] < premium < first <= levels["target"]
    return not rises or any(price >= levels["target"] for price in booked)


def _nearest(price: Decimal, tick: Decimal) -> Decimal:
    return (price / tick).to_integral(ROUND_HALF_UP) * tick


def _trade_differs(record: Record) -> Iterator[str]:
    inputs, table = record["inputs"], record["candidates"]
    best = _best(inputs, table)
    premium, caps = _caps(inputs, best)
    lots = min(caps.values())
    computed = {
        "tradingsymbol": best["tradingsymbol"],
        "lots": lots,
        "quantity": lots * inputs["contract"]["lot_size"],
        "premium": float(premium),
    }
    for name, value in computed.items():
        if record[name] != value:
            yield f"{name} {record[name]}, computed {value}"
    for name, price in ({"premium": premium} | _levels(inputs, premium)).items():
        if Decimal(inputs["plan"][name]) != price:
            yield f"{name} {inputs['plan'][name]}, computed {price}"
    if sum(inputs["checks"]["quantities"]) != computed["quantity"]:
        yield f"slices {inputs['checks']['quantities']}"
