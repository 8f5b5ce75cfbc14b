"""EventDrivenOptionsExecutor: signals and exit requests in, decisions and orders out."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import date
from typing import cast
from uuid import UUID

from libs.broker.port import OrderUpdate
from libs.events.control import (
    Armed,
    ControlEvent,
    Disarmed,
    FeedCameBack,
    FeedFellSilent,
    ModeChanged,
    TradingHalted,
)
from libs.events.event import Event, utc_from_ms
from libs.events.instruments import Contract, InstrumentListed
from libs.events.orders import Mode, OrderEvent, OrderPlanned, OrderRejected
from libs.events.positions import ExitReason, ExitRequested, PositionClosed, PositionEvent
from libs.events.signals import (
    ExecutionDecided,
    SignalExpired,
    SignalGenerated,
    SignalLogged,
    SignalRejected,
)
from libs.events.ticks import TickBatch
from libs.market.calendar import day_in_india
from libs.market.rulebook import Rulebook, RulebookError
from services.executor.domain.account_truth import AccountTruth
from services.executor.domain.blotter import Blotter
from services.executor.domain.broker_replies import (
    Accepted,
    AccountRead,
    BookRead,
    ContractRead,
    NotCancelled,
    NotSent,
    Reply,
    ReplyLost,
    ReplyOfOrder,
    Unchanged,
)
from services.executor.domain.climbing import Climbing
from services.executor.domain.closing import Closing
from services.executor.domain.commands import CancelOrder, Effect, LookUp, PlaceOrder
from services.executor.domain.day_loss import limit_reached
from services.executor.domain.decision import Decision, Trade, decide
from services.executor.domain.decision_record import Around, DecisionRecords, refused
from services.executor.domain.doubts import Doubts, missing
from services.executor.domain.early_signals import EarlySignals
from services.executor.domain.entering import EntryChecks
from services.executor.domain.exit_view import ExitViews
from services.executor.domain.exits import exit_request
from services.executor.domain.guarding import Guarding
from services.executor.domain.live.arming import Arming
from services.executor.domain.live.outcome import Footing, Situation, outcome_of
from services.executor.domain.margin_pauses import MarginPauses
from services.executor.domain.option_market import OptionMarket
from services.executor.domain.order import GIVEN_UP, Order
from services.executor.domain.plans import entry_plans
from services.executor.domain.policy import Policy, Refusal
from services.executor.domain.pretrade.order import Circumstances, TooOld
from services.executor.domain.risk import Breach, RiskBook

MODIFICATIONS = 25
"""How often the broker lets an order be changed."""
GUARDED_AT_ONCE = 20
"""So many positions' stops are looked at with one batch of ticks: an exit may wait behind it."""


@dataclass(slots=True)
class OptionsExecutor:
    """The executor's state and reactions; a plan comes before the command to send its order.

    `mode` is that of the settings until a ModeChanged. `too_old` says at a time (epoch ms) whether
    what the event in hand stands on is older than its budget, `ages` how old it is by hop, and
    `budgets_ms` how old it may be; `clock_off_ms` how far this machine's clock is ahead of the
    exchange's, `has_session` whether there is a login at the broker.
    """

    mode: Mode
    policy: Policy
    market: OptionMarket
    rulebook: Rulebook
    risk: RiskBook
    blotter: Blotter = field(default_factory=Blotter)
    doubts: Doubts = field(default_factory=Doubts)
    early: EarlySignals = field(default_factory=EarlySignals)
    _decided: set[UUID] = field(default_factory=set)
    _restored_ms: int = 0
    _driven_s: int = -1
    too_old: Callable[[int], TooOld | None] = lambda _: None
    ages: Callable[[int], Mapping[str, int]] = lambda _: {}
    budgets_ms: Callable[[], Mapping[str, int]] = lambda: {}
    clock_off_ms: Callable[[], int] = lambda: 0
    has_session: Callable[[], bool] = lambda: True
    footing: Footing = field(default_factory=Footing)
    arming: Arming = field(default_factory=Arming)
    silent_since_ms: int = 0
    """Since when the feed has been silent, 0 while it is not."""
    ticked_ms: int = 0
    """When the newest tick came, by the exchange's clock."""
    settings_mode: Mode = field(init=False)
    closing: Closing = field(init=False)
    truth: AccountTruth = field(init=False)
    guarding: Guarding = field(init=False)
    entering: EntryChecks = field(init=False)
    margin_pauses: MarginPauses = field(init=False)
    records: DecisionRecords = field(default_factory=DecisionRecords)

    def __post_init__(self) -> None:
        self.settings_mode = self.mode
        self.margin_pauses = MarginPauses(self.policy.entry.margin_pause_ms)
        climbing = Climbing(self.policy.ladder, ExitViews(self.market), MODIFICATIONS)
        self.closing = Closing(self.blotter, self.policy.orders, self._freeze, climbing)
        self.entering = EntryChecks(self.policy, self.market, self.risk, self.rulebook)
        self.guarding = Guarding(
            self.blotter,
            self.closing,
            self.market,
            self.risk,
            self._freeze,
            self.policy.resting_stop,
            MODIFICATIONS,
        )
        self.truth = AccountTruth(
            self.blotter,
            self.market,
            self.risk,
            self.policy.orders,
            self.rulebook,
            self._freeze,
        )

    def on_event(self, event: Event, now_ms: int) -> tuple[Effect, ...]:
        """React to one event; effects are to be carried out in order."""
        if isinstance(event, TickBatch):
            return self._on_ticks(event, now_ms)
        if isinstance(event, SignalGenerated):
            return self._on_signal(event, now_ms)
        if isinstance(event, ExitRequested):
            return self.closing.on_request(event, now_ms)
        self._note(event)
        if isinstance(event, PositionEvent):
            return self._on_day(self.risk.on_day(event.trading_day), now_ms)
        if isinstance(event, (TradingHalted, Disarmed)):
            return self._stop_entries(now_ms)
        return self._disarmed(now_ms) if isinstance(event, ModeChanged) else ()

    def on_updates(self, updates: Sequence[OrderUpdate], now_ms: int) -> tuple[Effect, ...]:
        """React to the broker's updates of orders."""
        effects: list[Effect] = []
        for update in updates:
            order = self.blotter.with_tag(update.tag)
            if order is not None:
                effects += self._on_update(order, update, now_ms)
            else:  # somebody trades by hand: what is held may have changed
                self.truth.watch.soon(now_ms)
        return tuple(effects)

    def _on_update(self, order: Order, update: OrderUpdate, now_ms: int) -> tuple[Effect, ...]:
        is_stray = order.is_stray(update)
        has_changed = is_stray and order.note_stray(update)
        shrinking = order.shrinking_quantity
        news = order.on_update(update)
        has_changed |= order.shrinking_quantity != shrinking
        if not order.has_ended:
            self.blotter.watch(order)
        effects: list[Effect] = [*news]
        for event in news:
            effects += self._short_of_margin(order, event)
        if is_stray:
            effects += self._stop_stray(order, update, now_ms)
        if news or has_changed:
            effects += self._oversold(order, now_ms)
            effects += self.after(order, now_ms)
        return tuple(effects)

    def on_time(self, now_ms: int, reconnects: int = 0) -> tuple[Effect, ...]:
        """Do what is due by the clock: also read the account, each minute and after a reconnect."""
        ends = self._disarmed(now_ms)
        return (*ends, *self.truth.watch.due(now_ms, reconnects), *self._drive(now_ms))

    def _on_day(self, reached: Sequence[Breach], now_ms: int) -> tuple[Effect, ...]:
        """Say once which limits the day has reached; close what they close."""
        effects: list[Effect] = [limit_reached(one, now_ms) for one in reached]
        if reached:
            effects += self._stop_entries(now_ms)
        if self.risk.closes_something:
            effects += self._closed_by_limits(now_ms)
        return tuple(effects)

    def _closed_by_limits(self, now_ms: int) -> Iterator[ExitRequested]:
        """Yield an exit of each position that a limit of the day closes, and nobody asked for."""
        for entry in self.blotter.to_close():
            why = self.risk.why_closed(entry.strategy)
            if why is not None and not self.closing.is_asked(entry.position_id):
                yield exit_request(entry, cast(ExitReason, why), why, now_ms)

    def _drive(self, now_ms: int, guarded_at_most: int | None = None) -> tuple[Effect, ...]:
        """Go on with timeouts, orders in doubt, and exits that are not done; once a second."""
        self._driven_s = now_ms // 1000
        effects: list[Effect] = [*self._time_out(now_ms), *self._look_up(now_ms)]
        effects += self._stop_entries(now_ms)
        for signal in self.early.due(now_ms):
            effects += self._on_signal(signal, now_ms)
        stops = self.guarding.on_time(now_ms, guarded_at_most)
        return (*effects, *self.closing.due(now_ms), *stops)

    def on_reply(self, reply: Reply, now_ms: int) -> tuple[Effect, ...]:
        """React to what came back from the broker for a request."""
        if isinstance(reply, BookRead):
            return self._on_book_read(reply, now_ms)
        if isinstance(reply, ContractRead):
            return self._on_contract(reply, now_ms)
        if isinstance(reply, AccountRead):
            return (*self.truth.on_read(reply, now_ms, self), *self._disarmed(now_ms))
        return self._on_reply_of_order(reply, now_ms)

    def _on_contract(self, reply: ContractRead, now_ms: int) -> tuple[Effect, ...]:
        """Sell; where the account lacks units, find out soon what became of them."""
        asked = reply.asked
        if asked.stop is not None:
            effects = self.guarding.on_contract(asked.entry, asked.stop, reply, now_ms)
            if not effects:
                self.truth.watch.soon(now_ms)
            return effects
        effects = self.closing.on_contract(reply, now_ms)
        if reply.asked.position_id in self.closing.lacking:
            self.truth.watch.soon(now_ms)
        return effects

    def _on_reply_of_order(
        self,
        reply: ReplyOfOrder,
        now_ms: int,
    ) -> tuple[Effect, ...]:
        order = reply.order
        if isinstance(reply, ReplyLost):
            return (LookUp((order,), reply.reason),)
        if isinstance(reply, Accepted):
            return self._on_accepted(order, reply.broker_order_id, now_ms)
        if isinstance(reply, NotCancelled):
            return (LookUp((order,)),)
        if isinstance(reply, Unchanged):
            order.keep()
            order.modifications = MODIFICATIONS  # the next step cancels it, and sends another one
            self.guarding.on_unchanged(order, reply.reason, now_ms)
            return ()
        is_sale = order.plan.leg == "exit" and order.plan.transaction_type == "SELL"
        if isinstance(reply, NotSent) and is_sale:
            self.closing.on_not_sent(reply, now_ms)
            return ()
        return self.on_event_of_order(order, order.rejected(reply.reason, now_ms), now_ms)

    def _on_accepted(self, order: Order, broker_order_id: str, now_ms: int) -> tuple[Effect, ...]:
        """Note the acceptance, unless an update of the order has told it before."""
        effects: tuple[Effect, ...] = ()
        if not order.broker_order_id:
            placed = order.placed(broker_order_id, now_ms)
            effects = self.on_event_of_order(order, placed, now_ms)
        is_unwanted = order.plan.leg == "entry" and self.stops(order.plan, now_ms)
        return (*effects, *self.closing.cancel(order, now_ms)) if is_unwanted else effects

    def _on_book_read(self, reply: BookRead, now_ms: int) -> tuple[Effect, ...]:
        """Decide what became of orders; an unreadable book decides nothing."""
        asked = reply.asked
        if not asked.lost_because:
            return () if reply.book is None else self.on_book(asked, reply.book, now_ms)
        tags = {order.plan.tag for order in asked.orders}
        found = [update for update in reply.book or () if update.tag in tags]
        effects: list[Effect] = []
        for update in found:
            effects += self._adopt(update, now_ms)
        effects += self.on_updates(found, now_ms)
        for order in asked.orders:
            if order.state == "planned":  # it may still arrive, and is then adopted
                doubt = order.unresolved(asked.lost_because, now_ms)
                effects += self.on_event_of_order(order, doubt, now_ms)
        return tuple(effects)

    def _adopt(self, update: OrderUpdate, now_ms: int) -> tuple[Effect, ...]:
        order = self.blotter.with_tag(update.tag)
        if order is None or order.broker_order_id or order.has_ended:
            return ()
        return self._on_accepted(order, update.broker_order_id, now_ms)

    def _stop_entries(self, now_ms: int) -> tuple[Effect, ...]:
        """Cancel the entries that work and must not any more, after a halt say."""
        entries = [one for one in self.blotter.working() if one.plan.leg == "entry"]
        stopped = [one for one in entries if self.stops(one.plan, now_ms)]
        return tuple(made for one in stopped for made in self.closing.cancel(one, now_ms))

    def stops(self, plan: OrderPlanned, now_ms: int) -> bool:
        """Whether an entry must not be sent, nor go on: a halt, a lost day, no arming any more."""
        is_unarmed = plan.mode == "live" and not self.arming.may_send(now_ms)
        return self.risk.stops(plan.strategy) or is_unarmed

    def _disarmed(self, now_ms: int) -> tuple[Effect, ...]:
        """Say once that the arming has ended, and stop the entries that it let go."""
        if self.mode != "live":
            ended = self.arming.end("mode", now_ms)
        elif self.risk.quarantined:
            ended = self.arming.end("quarantine", now_ms)
        else:
            ended = self.arming.due(now_ms)
        return (*ended, *self._stop_entries(now_ms)) if ended else ()

    def on_event_of_order(self, order: Order, event: OrderEvent, now_ms: int) -> tuple[Effect, ...]:
        """Apply and return an event that follows from the broker's reply, and react to it."""
        order.apply(event)
        if order.state == "unresolved":
            self.doubts.begin(order, now_ms)
        return (event, *self._short_of_margin(order, event), *self.after(order, now_ms))

    def _short_of_margin(self, order: Order, event: OrderEvent) -> tuple[Event, ...]:
        """Say it when the broker has rejected an entry for margin; nothing is tried again soon."""
        if isinstance(event, OrderRejected) and self.margin_pauses.note(event):
            return (self.margin_pauses.said(event, order.plan),)
        return ()

    def on_book(
        self, asked: LookUp, book: Sequence[OrderUpdate], now_ms: int
    ) -> tuple[Effect, ...]:
        """Let the broker's book decide: adopt what it holds, give up what it does not."""
        effects = [*self.on_updates(book, now_ms)]
        for order in missing(asked.orders, {update.tag for update in book}):
            effects += self._give_up(order, now_ms)
        return tuple(effects)

    def restore(self, event: Event) -> None:
        """Restore from a published event: instrument, decision, order, exit, position or halt.

        A signal that has expired meanwhile is not decided on any more.
        """
        self._restored_ms = max(self._restored_ms, event.occurred_ms)
        if isinstance(event, ExecutionDecided | SignalExpired):
            self._decided.add(event.signal_id)
        elif isinstance(event, OrderEvent):
            self._decided.add(event.signal_id)
            self.blotter.apply(event)
            self._count_entry(event)
            if isinstance(event, OrderRejected):
                self.margin_pauses.note(event)
        elif isinstance(event, ExitRequested):
            self.closing.restore(event)
        else:
            self._note(event)

    def settle(self, book: Sequence[OrderUpdate], now_ms: int) -> tuple[Effect, ...]:
        """After a restart: adopt the orders in the broker's book; the others are in doubt.

        A request of the process that died may still arrive; after `doubt_ms` it is given up. An
        entry is then not sent again; an exit is planned again, for what is still held. A feed's
        clock has not started yet, so the time is at least that of the latest restored event.
        """
        self.early.is_on = True
        now_ms = max(now_ms, self._restored_ms)
        known = {update.tag for update in book}
        lost = [order for order in self.blotter.working() if order.plan.tag not in known]
        effects = [*self.on_updates(book, now_ms)]
        self.closing.resume()
        for order in lost:
            effects += self._doubt_lost(order, now_ms)
        return (*effects, *self._disarmed(now_ms))

    def _doubt_lost(self, order: Order, now_ms: int) -> tuple[Effect, ...]:
        if not self.policy.orders.doubt_ms:
            return self._give_up(order, now_ms)
        self.doubts.begin(order, None)
        if order.state == "unresolved":
            return ()
        event = order.unresolved("not at the broker after a restart", now_ms)
        return self.on_event_of_order(order, event, now_ms)

    def _note(self, event: Event) -> None:
        if isinstance(event, InstrumentListed):
            self.market.list_instrument(event)
        elif isinstance(event, ModeChanged):
            if event.settings_mode == self.settings_mode:
                self.mode = event.mode
        elif isinstance(event, (Armed, Disarmed)):
            self.arming.on_event(event)
        elif isinstance(event, (FeedFellSilent, FeedCameBack)):
            is_silent = isinstance(event, FeedFellSilent)
            self.silent_since_ms = event.occurred_ms if is_silent else 0
        elif isinstance(event, (PositionEvent, ControlEvent)):
            self.risk.on_event(event)
        if isinstance(event, PositionClosed):
            self.closing.on_closed(event.position_id)

    def _on_ticks(self, batch: TickBatch, now_ms: int) -> tuple[Effect, ...]:
        self.market.on_ticks(batch)
        if len(batch.columns):
            self.early.on_quotes(now_ms)
        self.ticked_ms = max(self.ticked_ms, batch.clock_ms)
        snapshots = self.market.snapshots(now_ms, batch.trading_day)
        if now_ms // 1000 == self._driven_s:
            return (*snapshots, *self.guarding.on_time(now_ms, GUARDED_AT_ONCE))
        return (*snapshots, *self._drive(now_ms, GUARDED_AT_ONCE))

    def _on_signal(self, signal: SignalGenerated, now_ms: int) -> tuple[Effect, ...]:
        """Decide once; the decision comes last, since it marks the signal as decided."""
        if signal.signal_id in self._decided or self.early.holds(signal):
            return ()
        self.risk.start_day(signal.trading_day)
        policy = self.arming.narrowed(self.policy, now_ms)
        decision = decide(signal, now_ms, self.mode, policy, self.market, self.risk)
        plans = self._plans(signal, decision, now_ms)
        known = self._known(plans, now_ms)
        planned, decision = decision.trade, self._checked(decision, plans, known)
        around = self._around(now_ms, policy, planned, plans, known)
        outcome = self.records.decided(signal, decision, around)
        effects = self._decision_effects(signal, decision, plans, now_ms)
        self._decided.add(signal.signal_id)
        return (*effects, *self._disarmed(now_ms), outcome)

    def _decision_effects(
        self,
        signal: SignalGenerated,
        decision: Decision,
        plans: tuple[OrderPlanned, ...],
        now_ms: int,
    ) -> tuple[Effect, ...]:
        if decision.trade is None:
            return refused(signal, decision, now_ms)
        if self.mode == "logging_only":
            at = utc_from_ms(now_ms)
            return (SignalLogged.of(signal, at, signal.trading_day, "logging_only"),)
        return self._send(plans)

    def _plans(
        self, signal: SignalGenerated, decision: Decision, now_ms: int
    ) -> tuple[OrderPlanned, ...]:
        """Return the orders of a trade, none without one."""
        trade, rules = decision.trade, self.policy.orders
        if trade is None:
            return ()
        freeze = self._freeze(trade.contract, signal.trading_day)
        return entry_plans(signal, trade, self.mode, rules, freeze, now_ms)

    def _known(self, plans: tuple[OrderPlanned, ...], now_ms: int) -> Circumstances | None:
        """Return what the orders of an entry are checked against, None without orders."""
        if not plans:
            return None
        freeze = self._freeze(plans[0].contract, day_in_india(now_ms))
        funds = self.truth.watch.reconciler.margins
        old, off_ms = self.too_old(now_ms), self.clock_off_ms()
        silent_ms = self.silent_since_ms
        return self.entering.circumstances(plans, freeze, funds, old, off_ms, silent_ms, now_ms)

    def _checked(
        self, decision: Decision, plans: tuple[OrderPlanned, ...], known: Circumstances | None
    ) -> Decision:
        """Return a decision to trade as a refusal, if a check speaks against its orders."""
        if known is None:
            return decision
        now_ms, underlying = known.now_ms, plans[0].underlying
        refusal = self._unfit(now_ms) or self.margin_pauses.refusal(underlying, now_ms)
        refusal = refusal or self.entering.refusal(plans, known)
        return decision if refusal is None else replace(decision, trade=None, refusal=refusal)

    def _unfit(self, now_ms: int) -> Refusal | None:
        """Return why no entry is sent in this mode, on this account, without session or arming."""
        reason = outcome_of(self._situation(now_ms)).refusal
        if not reason:
            return None
        why = {"why": self.arming.why_not(now_ms)} if reason == "not_armed" else {}
        return Refusal(reason, {**why})

    def _paused_until_ms(self, plans: tuple[OrderPlanned, ...]) -> int:
        return self.margin_pauses.until_ms(plans[0].underlying) if plans else 0

    def _situation(self, now_ms: int) -> Situation:
        is_armed = self.arming.current(now_ms) is not None
        return Situation(self.mode, self.footing, self.has_session(), is_armed)

    def _around(
        self,
        now_ms: int,
        policy: Policy,
        planned: Trade | None,
        plans: tuple[OrderPlanned, ...],
        known: Circumstances | None,
    ) -> Around:
        """Return what a decision of now stands on beside its signal."""
        return Around(
            now_ms=now_ms,
            situation=self._situation(now_ms),
            policy=policy,
            market=self.market,
            risk=self.risk,
            ages_ms=self.ages(now_ms),
            budgets_ms=self.budgets_ms(),
            clock_off_ms=self.clock_off_ms(),
            silent_since_ms=self.silent_since_ms,
            planned=planned,
            quantities=tuple(plan.quantity for plan in plans),
            known=known,
            paused_until_ms=self._paused_until_ms(plans),
        )

    def _freeze(self, contract: Contract, day: date) -> int:
        try:
            return self.rulebook.freeze_quantity(contract.underlying, day).value
        except RulebookError:
            return contract.lot_size * self.rulebook.stock_freeze_lots

    def _send(self, plans: Sequence[OrderPlanned]) -> tuple[Effect, ...]:
        """Add all slices first, so that one that fails is seen together with the others."""
        orders = [self.blotter.add(plan) for plan in plans]
        for order in orders:
            self._count_entry(order.plan)
        return tuple(effect for order in orders for effect in (order.plan, PlaceOrder(order)))

    def _count_entry(self, event: OrderEvent) -> None:
        orders = self.blotter.of_position(event.position_id)
        if event.leg == "exit" or not orders:
            return
        plan, holding = orders[0].plan, self.blotter.holding(event.position_id)
        quantity, distance = holding.bought + holding.buying, plan.price - plan.stop_loss
        underlying, day = plan.contract.underlying, plan.trading_day
        self.risk.enter(plan.position_id, underlying, quantity, distance, day, plan.strategy)
        if plan.mode == "live":
            self.arming.enter(plan.position_id, plan.occurred_ms)

    def _time_out(self, now_ms: int) -> list[Effect]:
        """Cancel purchases past their timeout; a sale climbs its ladder instead."""
        rules = self.policy.orders
        timeouts = {"entry": rules.entry_timeout_ms, "exit": rules.exit_timeout_ms}
        effects: list[Effect] = []
        for order in self.blotter.working():
            is_late = now_ms - order.plan.occurred_ms > timeouts[order.plan.leg]
            if is_late and order.plan.transaction_type == "BUY":
                effects += self.closing.cancel(order, now_ms)
        return effects

    def _look_up(self, now_ms: int) -> tuple[LookUp, ...]:
        rules = self.policy.orders
        working = self.blotter.working()
        due = self.doubts.due(working, now_ms, rules.doubt_ms, rules.exit_retry_ms)
        return (LookUp(due),) if due else ()

    def _give_up(self, order: Order, now_ms: int) -> tuple[Effect, ...]:
        """End an order that, by the broker's book, never arrived."""
        return self.on_event_of_order(order, order.cancelled(GIVEN_UP, now_ms), now_ms)

    def _stop_stray(self, order: Order, update: OrderUpdate, now_ms: int) -> list[Effect]:
        """Alert once about a stray; cancel it, and again after `exit_retry_ms` while it is open."""
        stray, its_id = order.strays[update.broker_order_id], update.broker_order_id
        effects: list[Effect] = []
        if stray.asked_ms is None:
            reason = f"an order that should not be there is {update.status}: {its_id}"
            effects.append(order.alert(reason, now_ms, its_id))
        elif now_ms - stray.asked_ms < self.policy.orders.exit_retry_ms:
            return effects
        stray.asked_ms = now_ms
        if update.status == "OPEN":
            effects.append(CancelOrder(order, its_id))
        return effects

    def _oversold(self, order: Order, now_ms: int) -> tuple[Event, ...]:
        """Alert when more was sold than held: a sale that was given up has filled after all."""
        holding = self.blotter.holding(order.plan.position_id)
        if holding.sold <= holding.bought:
            return ()
        reason = f"{holding.sold - holding.bought} units were sold that were not held"
        return (order.alert(reason, now_ms, "oversold", holding.sold),)

    def after(self, order: Order, now_ms: int) -> tuple[Effect, ...]:
        """After an order has changed: continue its exit; an entry without fills expires."""
        plan, effects = order.plan, list[Effect]()
        self._count_entry(plan)
        if order.has_ended and order.is_stop:
            self.guarding.on_ended(order, now_ms)
        elif order.has_ended and plan.leg == "exit" and plan.transaction_type == "SELL":
            effects += self.closing.on_ended(order, now_ms)
        elif order.state == "cancelled" and plan.leg == "exit":  # what it covers is short still
            self.truth.watch.soon(now_ms)
        effects += self.closing.go_on(plan.position_id, now_ms)
        if plan.leg == "entry" and not self._may_still_hold(plan.position_id):
            kind = SignalRejected if order.state == "rejected" else SignalExpired
            reason = "order_rejected" if order.state == "rejected" else "entry_not_filled"
            effects.append(kind.of(plan, utc_from_ms(now_ms), plan.trading_day, reason))
        return tuple(effects)

    def _may_still_hold(self, position_id: UUID) -> bool:
        holding = self.blotter.holding(position_id)
        return bool(holding.bought or holding.buying)
