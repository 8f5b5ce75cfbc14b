"""Takes signals in the order of time: the executor's decision, the purchase and the sale."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, timedelta
from decimal import Decimal
from functools import partial
from heapq import heappop, heappush
from typing import NamedTuple

import numpy as np

from libs.events.positions import PositionClosed, PositionOpened
from libs.events.signals import SignalGenerated, StrategySignal
from libs.market.arrays import FloatArray
from libs.market.calendar import Calendar, day_in_india
from libs.market.rulebook import Rulebook
from services.executor.domain.decision import Decision, decide
from services.executor.domain.decision import Trade as Bought
from services.executor.domain.option_market import OptionMarket
from services.executor.domain.policy import Policy, Refusal
from services.executor.domain.risk import RiskBook
from services.local.backtest.candles.history import CandleHistory, Floats, Integers
from services.local.backtest.options.chains import RecordedChains
from services.local.backtest.options.exits import Due, Exit, Path, exit_of
from services.local.backtest.options.listing import Listing, NotListed
from services.local.backtest.options.markets import Moment, Offer, offer_by_model, offer_recorded
from services.local.backtest.options.model import Terms
from services.local.backtest.options.paths import path_by_model, path_recorded
from services.local.backtest.options.plan import booked, stops_along
from services.local.backtest.options.positions import charges, closed, enter, opened
from services.local.backtest.options.rules import OptionRules
from services.local.backtest.trade import PricedBy, Trade
from services.position.domain.exit_rules.expiry import BeforeExpiry
from services.position.domain.exit_rules.square_off import SquareOff

_PAISA = Decimal("0.01")


class Order(NamedTuple):
    """A signal, the candle at whose open it is traded, and when an opposite signal is traded.

    `volatility` has an element for each candle of the history.
    """

    signal: StrategySignal
    history: CandleHistory
    volatility: FloatArray
    candle: int
    opposite: Due | None = None

    @property
    def has_candle(self) -> bool:
        """Whether a candle follows the signal's own."""
        return self.candle < len(self.history)

    @property
    def at_ms(self) -> int:
        """When the signal is traded (epoch ms); at the history's end without a further candle."""
        history = self.history
        return int(history.opened_ms[self.candle] if self.has_candle else history.closes_ms[-1])


@dataclass(frozen=True, slots=True)
class Marks:
    """What a trade could be sold at while it was open: times (epoch ms) and rupees a unit."""

    at_ms: Integers
    price: Floats


class Done(NamedTuple):
    """A finished trade and its marks."""

    trade: Trade
    marks: Marks


@dataclass(slots=True)
class Desk:
    """The executor's rules and limits over all signals of a backtest."""

    rules: OptionRules
    rulebook: Rulebook
    calendar: Calendar
    chains: RecordedChains
    is_overnight: bool
    _risk: RiskBook = field(init=False)
    _listing: Listing = field(init=False)
    _without_chain: OptionMarket = field(init=False)
    _open: list[tuple[int, int, PositionClosed]] = field(default_factory=list)
    _count: int = 0

    def __post_init__(self) -> None:
        policy = self.rules.policy
        self._risk = RiskBook(policy.limits, policy.sizing.capital)
        self._listing = Listing(
            self.rulebook,
            self.calendar,
            policy.chain,
            tuple(one.strike for one in policy.in_use.values()),
        )
        self._without_chain = OptionMarket(self.calendar, policy.chain.rate)

    def take(self, order: Order) -> tuple[Done, ...] | Refusal | None:
        """Trade a signal, or say why not; orders must come by the time of their candle.

        A part that is booked before the rest is a trade by itself.
        """
        signal, moment = SignalGenerated.of(order.signal), _moment(order)
        self._settle(moment.at_ms)
        self._risk.start_day(signal.trading_day)
        # Without a chain first: most refusals need none, and a chain takes a millisecond.
        early = self._decide(signal, moment, self.rules.policy, self._without_chain).refusal
        if early is not None and early.reason != "no_chain":
            return early
        try:
            offer = self._offer(moment)
        except NotListed as error:
            return error.refusal
        decision = self._decide(signal, moment, offer.policy, offer.market)
        if decision.trade is None:
            return decision.refusal
        return self._trade(order, signal, moment, offer, decision.trade)

    def _decide(
        self, signal: SignalGenerated, moment: Moment, policy: Policy, market: OptionMarket
    ) -> Decision:
        return decide(signal, moment.at_ms, "paper", policy, market, self._risk)

    def _offer(self, moment: Moment) -> Offer:
        recording = self.chains.of.get(moment.underlying)
        if recording is not None:
            offer = offer_recorded(moment, recording, self._listing, self.rules, self.calendar)
            if offer is not None:
                return offer
        return offer_by_model(moment, self._listing, self.rules, self.calendar)

    def _settle(self, now_ms: int) -> None:
        """Let what was sold until now count as closed."""
        while self._open and self._open[0][0] <= now_ms:
            self._risk.on_event(heappop(self._open)[2])

    def _trade(
        self, order: Order, signal: SignalGenerated, moment: Moment, offer: Offer, bought: Bought
    ) -> tuple[Done, ...]:
        position = opened(signal, bought, moment.at_ms, moment.day)
        enter(self._risk, position, bought, signal.trading_day)
        dues = tuple(self._dues(order, position, moment))
        path = self._path(order, moment, offer.priced_by, bought, dues)
        tick, levels = bought.contract.tick_size, bought.levels
        stop_loss, target = int(levels.stop_loss / tick), int(levels.target / tick)
        lifted = None if bought.exit_plan is None else partial(stops_along, position=position)
        sold = exit_of(path, stop_loss, target, dues, lifted)
        parts = [(lots * bought.contract.lot_size, at) for lots, at in booked(path, sold, position)]
        rest = bought.quantity - sum(quantity for quantity, _ in parts)
        buying = self._buying(bought, [*(quantity for quantity, _ in parts), rest], moment.day)
        done = tuple(
            Done(
                self._record(order, moment, offer.priced_by, part, path, at, paid),
                _marks(path, at, tick),
            )
            for part, at, paid in (
                (replace(bought, quantity=quantity), at, paid)
                for (quantity, at), paid in zip([*parts, (rest, sold)], buying, strict=True)
            )
        )
        self._hold_until(position, done, path, sold)
        return done

    def _buying(self, bought: Bought, quantities: list[int], day: date) -> list[Decimal]:
        """Return the charges of the purchase for each part, by units; the last one has the rest."""
        entry = bought.premium.quantize(_PAISA)
        whole = charges(self.rulebook, bought, "BUY", entry, day)
        shares = [(whole * one / bought.quantity).quantize(_PAISA) for one in quantities[:-1]]
        return [*shares, whole - sum(shares, Decimal(0))]

    def _dues(self, order: Order, position: PositionOpened, moment: Moment) -> Iterator[Due]:
        """Yield what ends the trade at a time, in the order that decides between equal times."""
        exits, plan = self.rules.exits, position.exit_plan
        if order.opposite is not None:
            yield order.opposite
        if not (self.is_overnight or (plan is not None and plan.overnight)):
            square_off = SquareOff(exits.square_off, exits.before_close_ms, self.calendar)
            yield Due(square_off.at_ms(position), np.datetime64(moment.day), "square_off")
        at_ms = BeforeExpiry(exits.before_expiry_ms, self.calendar).at_ms(position)
        if at_ms is not None:
            yield Due(at_ms, np.datetime64(position.contract.expiry), "expiry")
        if plan is not None and plan.holding_ms is not None:
            exchange, over_ms = position.contract.exchange, moment.at_ms + plan.holding_ms
            yield from _held(self.calendar, exchange, over_ms)

    def _path(
        self,
        order: Order,
        moment: Moment,
        priced_by: PricedBy,
        bought: Bought,
        dues: tuple[Due, ...],
    ) -> Path:
        history, contract, model = order.history, bought.contract, self.rules.model
        if priced_by == "recorded":
            until_ms, recording = int(history.closes_ms[-1]), self.chains.of[moment.underlying]
            return path_recorded(recording, contract, moment.at_ms, until_ms, model.recorded_ms)
        first_due = min((due.at_ms for due in dues), default=int(history.closes_ms[-1]))
        last = int(np.searchsorted(history.opened_ms, first_due))
        closes_ms = self._without_chain.closes_ms(contract.exchange, contract.expiry)
        terms = Terms(
            strike=contract.strike,
            is_call=contract.instrument_type == "CE",
            expires_ms=closes_ms or moment.at_ms,
            tick_size=contract.tick_size,
            rate=self.rules.policy.chain.rate,
        )
        candles = slice(order.candle, last + 1)
        return path_by_model(history, candles, order.volatility, terms, model)

    def _record(
        self,
        order: Order,
        moment: Moment,
        priced_by: PricedBy,
        bought: Bought,
        path: Path,
        sold: Exit,
        buying: Decimal,
    ) -> Trade:
        signal, contract = order.signal, bought.contract
        tick, entry = contract.tick_size, bought.premium.quantize(_PAISA)
        exit_price = (sold.bid * tick).quantize(_PAISA)
        paid = buying + charges(
            self.rulebook, bought, "SELL", exit_price, path.day[sold.point].item()
        )
        return Trade(
            signal_id=signal.event_id,
            strategy=signal.strategy,
            instrument=order.history.key,
            action=signal.action,
            exchange=contract.exchange,
            tradingsymbol=contract.tradingsymbol,
            transaction_type="BUY",
            quantity=bought.quantity,
            entered_ms=moment.at_ms,
            entry_price=entry,
            exited_ms=int(path.at_ms[sold.point]),
            exit_price=exit_price,
            reason=sold.reason,
            charges=paid,
            adverse=max(entry - sold.lowest * tick, Decimal(0)).quantize(_PAISA),
            favourable=max(sold.highest * tick - entry, Decimal(0)).quantize(_PAISA),
            priced_by=priced_by,
        )

    def _hold_until(
        self, position: PositionOpened, done: Sequence[Done], path: Path, sold: Exit
    ) -> None:
        """Keep the end of a position until its time has come."""
        day = path.day[sold.point].item()
        net, exited_ms = sum((one.trade.net for one in done), Decimal(0)), done[-1].trade.exited_ms
        end = closed(position, net, exited_ms, day, sold.reason)
        self._count += 1
        heappush(self._open, (exited_ms, self._count, end))


def _held(calendar: Calendar, exchange: str, over_ms: int) -> Iterator[Due]:
    """Yield when a holding time is over: at once, else at the next open of the exchange."""
    day = day_in_india(over_ms)
    while calendar.covers(day):
        for session in calendar.sessions(exchange, day):
            if over_ms < session.close_ms:
                yield Due(max(over_ms, session.open_ms), np.datetime64(day), "holding_time")
                return
        day += timedelta(days=1)


def _moment(order: Order) -> Moment:
    history, at = order.history, order.candle
    return Moment(
        underlying=order.signal.underlying,
        day=history.trading_day[at].item(),
        at_ms=order.at_ms,
        spot=float(history.open[at]),
        volatility=float(order.volatility[at]),
    )


def _marks(path: Path, sold: Exit, tick_size: Decimal) -> Marks:
    is_mark = path.is_close[: sold.point]
    bid = path.bid[: sold.point][is_mark]
    return Marks(path.at_ms[: sold.point][is_mark], bid / float(1 / tick_size))
