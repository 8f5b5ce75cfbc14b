"""A story in sections of lines and tables."""

from collections.abc import Iterator, Mapping
from datetime import date, datetime
from decimal import Decimal
from typing import Any
from uuid import UUID

from pydantic import BaseModel

from libs.events.advice import advice_on, number_text
from libs.events.event import ms_from_utc, utc_from_ms
from libs.events.orders import OrderEvent, OrderFilled, OrderPlanned
from libs.events.positions import ExitRequested, PositionClosed, PositionEvent
from libs.events.reasons import EXITS, in_words
from libs.events.signals import ExecutionDecided, SignalExpired, SignalLogged, SignalRejected
from libs.events.story.story import Story
from libs.market.calendar import IST
from libs.market.rupees import rupees

_ENDS = (SignalRejected, SignalLogged, SignalExpired)
_TERMS = ("distance", "delta", "volatility", "liquidity", "spread")


class Section(BaseModel):
    """A part of a story: lines, and a table if it has columns."""

    title: str
    lines: tuple[str, ...] = ()
    columns: tuple[str, ...] = ()
    rows: tuple[tuple[str, ...], ...] = ()


class StoryTold(BaseModel):
    """A story for a person and for programs: `events` are all that it is made of."""

    signal_id: UUID
    trading_day: date
    outcome: str
    summary: str
    why_not: str
    what_to_change: str
    sections: tuple[Section, ...]
    events: tuple[dict[str, Any], ...]


def told(story: Story) -> StoryTold:
    """Return a story in words, figures and events."""
    reason, numbers = why_not(story)
    return StoryTold(
        signal_id=story.signal_id,
        trading_day=story.day,
        outcome=_outcome(story),
        summary=_summary(story),
        why_not="" if not reason else in_words(reason),
        what_to_change=advice_on(reason, numbers),
        sections=tuple(_sections(story)),
        events=tuple(one.model_dump(mode="json") for one in story.events()),
    )


def why_not(story: Story) -> tuple[str, Mapping[str, float | str]]:
    """Return the reason for which a signal was not traded, with its numbers; "" if it was."""
    ends = [one for one in story.updates if isinstance(one, _ENDS)]
    if ends:
        return ends[-1].reason, ends[-1].numbers
    decision = story.decision
    return ("", {}) if decision is None else (decision.reason, decision.numbers)


def _outcome(story: Story) -> str:
    last = story.positions[-1] if story.positions else None
    if last is not None:
        return "closed" if isinstance(last, PositionClosed) else "open"
    ends = [one for one in story.updates if isinstance(one, _ENDS)]
    if ends:
        return {SignalRejected: "refused", SignalLogged: "logged", SignalExpired: "expired"}[
            type(ends[-1])
        ]
    return "ordered" if story.orders else "waiting"


def _summary(story: Story) -> str:
    of = story.signal or (story.updates[0] if story.updates else None)
    what = "a signal" if of is None else f"{of.strategy}: {of.action} {of.tradingsymbol}"
    begun = f"{what} at {_time(story.at)} on {story.day}"
    reason, _ = why_not(story)
    if story.positions:
        return f"{begun}: {_result(story.positions[-1])}"
    return f"{begun}: {_outcome(story)}" + (f", {in_words(reason)}" if reason else "")


def _result(last: PositionEvent) -> str:
    bought = last.bought_quantity // last.contract.lot_size
    name = f"{bought} lot{'' if bought == 1 else 's'} {last.contract.tradingsymbol}"
    if last.exit_price is None or not isinstance(last, PositionClosed):
        return f"{name} at {rupees(last.entry_price)}, still open"
    why = EXITS.get(last.exit_reason or "", last.exit_reason or "")
    prices = f"bought at {rupees(last.entry_price)}, sold at {rupees(last.exit_price)}"
    return f"{name} {prices} ({why}), net {rupees(last.net)}"


def _sections(story: Story) -> Iterator[Section]:
    yield _signal_section(story)
    yield _hops_section(story)
    reason, numbers = why_not(story)
    if reason:
        yield _why_not_section(reason, numbers)
    if story.decision is not None:
        yield from _decision_sections(story.decision)
    if story.orders:
        yield _orders_section(story)
    if story.positions:
        yield _exits_section(story)
        yield _result_section(story)


def _signal_section(story: Story) -> Section:
    signal = story.signal
    if signal is None:
        return Section(title="Signal", lines=("The signal itself is not here any more.",))
    lines = [
        f"{signal.strategy} {signal.strategy_version} says {signal.action} "
        f"{signal.exchange}:{signal.tradingsymbol} at {signal.price:,.2f}: stop "
        f"{signal.stop_loss:,.2f}, target {signal.target:,.2f}, confidence "
        f"{signal.confidence:g}, expected move {signal.expected_move:.2f} %.",
        f"Candle: {signal.interval} of {_time(signal.candle_opened_at)} to "
        f"{_time(signal.candle_closed_at)}{_figures(story.candle)}.",
        f"Indicators: {_pairs(signal.indicators)}. Parameters: {_pairs(signal.parameters)}.",
    ]
    steps = [f"{one.type} {_time(one.occurred_at)} {one.reason}".strip() for one in story.updates]
    return Section(
        title="Signal", lines=(*lines, *([f"States: {', '.join(steps)}."] if steps else []))
    )


def _figures(candle: Mapping[str, Any] | None) -> str:
    if candle is None:
        return ""
    shown = ", ".join(f"{name} {number_text(value)}" for name, value in candle.items())
    return f": {shown}"


def _hops_section(story: Story) -> Section:
    """Tell when each hop had the data; the stamps of the ticks are those of the decision."""
    closed = None if story.signal is None else story.signal.candle_closed_at
    times: list[tuple[str, datetime]] = []
    inputs = None if story.decision is None else story.decision.inputs
    if inputs is not None:
        hops = inputs.ages_ms.items()
        times += [(_HOPS.get(hop, hop), utc_from_ms(inputs.at_ms - age)) for hop, age in hops]
    if story.decision is not None:
        times.append(("executor decided", story.decision.occurred_at))
    times += [(_order_step(one), one.occurred_at) for one in story.orders]
    times += [(f"exit requested: {EXITS[one.reason]}", one.occurred_at) for one in story.exits]
    ends = [one for one in story.positions if isinstance(one, PositionClosed)]
    times += [("position closed", one.occurred_at) for one in ends]
    rows = tuple((what, _exact(at), _after(closed, at)) for what, at in times)
    return Section(
        title="Times per hop", columns=("what", "at", "after the candle's close"), rows=rows
    )


_HOPS = {
    "exchange": "newest tick, the exchange's time",
    "ingest": "that tick arrived",
    "candle": "candle closed it",
    "strategy": "strategy gave the signal",
    "signal": "signal validated it",
}


def _order_step(event: OrderEvent) -> str:
    return f"{event.leg} {event.type.removeprefix('Order').lower()}"


def _why_not_section(reason: str, numbers: Mapping[str, float | str]) -> Section:
    lines = [f"{reason}: {in_words(reason)}."]
    if numbers:
        lines.append(f"Numbers: {_pairs(numbers)}.")
    advice = advice_on(reason, numbers)
    return Section(
        title="Why not", lines=(*lines, *([f"To have it traded: {advice}"] if advice else []))
    )


def _decision_sections(decision: ExecutionDecided) -> Iterator[Section]:
    yield Section(title="Decision", lines=tuple(_decision_lines(decision)))
    if decision.candidates:
        columns = ("contract", "from ATM", "bid", "ask", "IV %", "delta", *_TERMS, "score", "")
        rows = tuple(_candidate(row, decision.tradingsymbol) for row in decision.candidates)
        yield Section(title="Candidates", columns=columns, rows=rows)
    if decision.inputs is not None:
        limits = decision.inputs.risk.limits
        rows = tuple(
            (one.name, number_text(float(one.value)), number_text(float(one.maximum)))
            for one in limits
        )
        yield Section(title="Limits", columns=("limit", "used", "refuses from"), rows=rows)


def _decision_lines(decision: ExecutionDecided) -> Iterator[str]:
    inputs = decision.inputs
    if inputs is not None:
        yield f"Mode {inputs.mode}, profile {inputs.profile}."
        if inputs.spot is not None:
            age = (inputs.at_ms - inputs.spot.at_ms) / 1000
            yield f"Spot: {inputs.spot.name} {inputs.spot.price:,.2f}, {age:g} s old."
        if inputs.chain is not None:
            chain = inputs.chain
            by = f"put-call parity over {len(chain.pairs)} strikes"
            by = by if chain.forward_by == "parity" else "the spot, as no pair of quotes was tight"
            yield (
                f"Expiry {chain.expiry}, {chain.seconds_to_expiry / 86_400:.2f} days left; forward "
                f"{chain.forward:,.2f} by {by}, rate {chain.rate:g}."
            )
    plan = None if inputs is None else inputs.plan
    if plan is not None and inputs is not None and inputs.contract is not None:
        yield (
            f"{plan.lots} lots ({plan.quantity} units) {inputs.contract.tradingsymbol} at "
            f"{rupees(plan.premium)}: limit {rupees(plan.limit_price)}, stop "
            f"{rupees(plan.stop_loss)}, target {rupees(plan.target)}."
        )
        caps = {name: lots for name, lots in decision.numbers.items() if name.startswith("by_")}
        yield f"Lots by cap: {_pairs(caps)}."
    if not decision.candidates:
        yield "No contracts were compared."


def _candidate(row: Mapping[str, Any], chosen: str) -> tuple[str, ...]:
    volatility, name = row.get("implied_volatility"), str(row["tradingsymbol"])
    terms = [f"{row[f'{term}_term']:.2f}" for term in _TERMS]
    is_scored = not row["refusal"]
    return (
        name,
        f"{row['strikes_from_atm']:+d}",
        _price(row["bid_price"]),
        _price(row["ask_price"]),
        "" if volatility is None else f"{100 * volatility:.1f}",
        "" if row["delta"] is None else f"{row['delta']:.2f}",
        *(terms if is_scored else [""] * len(terms)),
        f"{row['score']:.3f}" if is_scored else "",
        "chosen" if name == chosen else str(row["refusal"]).replace("_", " "),
    )


def _orders_section(story: Story) -> Section:
    columns = ("at", "what", "side", "units", "price", "contract", "reason")
    rows = tuple(
        (
            _time(one.occurred_at),
            _order_step(one),
            one.transaction_type,
            str(one.fill_quantity if isinstance(one, OrderFilled) else one.quantity),
            _order_price(one),
            one.contract.tradingsymbol,
            one.reason,
        )
        for one in story.orders
    )
    return Section(title="Orders and fills", columns=columns, rows=rows)


def _order_price(event: OrderEvent) -> str:
    if isinstance(event, OrderFilled):
        return f"{event.fill_price:,.2f}"
    if isinstance(event, OrderPlanned):
        return f"limit {event.price:,.2f}" if event.price else "market"
    return ""


def _exits_section(story: Story) -> Section:
    """Tell by which rule it was left, and the price that met it.

    That is what the rule saw, or else the mark of that moment; without a request (the stop at the
    exchange, or an outcome, which has no requests) it is the price of the sale.
    """
    rows = [_exit_row(story, one) for one in story.exits]
    planned = {one.order_id: one for one in story.orders if isinstance(one, OrderPlanned)}
    sold = [one for one in story.orders if isinstance(one, OrderFilled) and one.leg == "exit"]
    asked = {one.reason for one in story.exits}
    for fill in sold:
        plan = planned.get(fill.order_id)
        reason = fill.reason or (plan.reason if plan else "")
        if not asked or reason not in {"", *asked}:
            rows.append(_sale_row(story, fill, reason, plan))
    last = story.positions[-1]
    lines = (
        f"Stop {rupees(last.stop_loss)}, target {rupees(last.target)}; highest price "
        f"{rupees(last.highest_price)}, lowest {rupees(last.lowest_price)} since the opening.",
    )
    columns = ("at", "rule", "lots", "price then", "level")
    return Section(title="Exits", lines=lines, columns=columns, rows=tuple(rows))


def _exit_row(story: Story, asked: ExitRequested) -> tuple[str, ...]:
    at, reason = asked.occurred_at, asked.reason
    then = _state_at(story, at)
    lots = "all" if asked.lots is None else str(asked.lots)
    price = f"{then.last_price if asked.price is None else asked.price:,.2f}"
    return _exact(at), _rule(reason), lots, price, _level(reason, then)


def _sale_row(
    story: Story, fill: OrderFilled, reason: str, plan: OrderPlanned | None
) -> tuple[str, ...]:
    lots, price = fill.fill_quantity // fill.contract.lot_size, f"{fill.fill_price:,.2f}"
    trigger = plan.trigger_price if plan else None
    level = f"{trigger:,.2f}" if trigger else _level(reason, _state_at(story, fill.occurred_at))
    return _exact(fill.occurred_at), _rule(reason), str(lots), price, level


def _state_at(story: Story, at: datetime) -> PositionEvent:
    return ([one for one in story.positions if one.occurred_at <= at] or story.positions)[-1]


def _rule(reason: str) -> str:
    return EXITS.get(reason, reason.replace("_", " "))


def _level(reason: str, of: PositionEvent) -> str:
    """Return the level that a rule compares the price with, "" for one by time or by hand."""
    levels = {"target": of.target, "stop_loss": of.stop_loss, "stop_to_cost": of.stop_loss}
    return f"{levels[reason]:,.2f}" if reason in levels else ""


def _result_section(story: Story) -> Section:
    last = story.positions[-1]
    lines = [
        f"{_result(last)}.",
        f"Realised {rupees(last.realised)}, charges {rupees(last.charges)}"
        f"{'' if last.charges_are_exact else ' (estimated)'}, net {rupees(last.net)}.",
    ]
    if story.decision is not None and story.decision.premium:
        slipped = last.entry_price - Decimal(str(story.decision.premium))
        lines.append(
            f"Slippage of the entry against the decision's price: {rupees(slipped)} a unit."
        )
    if last.closed_at is not None:
        held = (ms_from_utc(last.closed_at) - ms_from_utc(last.opened_at)) / 60_000
        lines.append(f"In trade for {held:.1f} minutes, from {_time(last.opened_at)}.")
    return Section(title="Result", lines=tuple(lines))


def _pairs(values: Mapping[str, Any]) -> str:
    return ", ".join(f"{name} {number_text(value)}" for name, value in values.items()) or "none"


def _price(value: float | None) -> str:
    return "" if value is None else f"{value:,.2f}"


def _time(at: datetime) -> str:
    return f"{at.astimezone(IST):%H:%M:%S}"


def _exact(at: datetime) -> str:
    return f"{at.astimezone(IST):%H:%M:%S.%f}"[:-3]


def _after(begun: datetime | None, at: datetime) -> str:
    return "" if begun is None else f"{(ms_from_utc(at) - ms_from_utc(begun)) / 1000:+.3f} s"
