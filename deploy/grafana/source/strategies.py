"""Strategies and signals: which there were, which passed, and how they ended."""

from grafana_foundation_sdk.builders.stat import Panel as Stat

from deploy.grafana.source.board import Board, Row
from deploy.grafana.source.panels import (
    GAIN,
    GREEN,
    GREY,
    NONE_IS_GOOD,
    RED,
    YELLOW,
    Column,
    Look,
    bars,
    lines,
    stat,
    table,
)
from deploy.grafana.source.queries import Prom, Sql

ACTIONS = {"BUY": ("BUY", GREEN), "SELL": ("SELL", RED)}
STATE_NAMES = {
    "COMPLETED": ("COMPLETED", GREEN),
    "ACTIVATED": ("ACTIVATED", GREEN),
    "STOPPED": ("STOPPED", RED),
    "REJECTED": ("REJECTED", GREY),
    "EXPIRED": ("EXPIRED", GREY),
    "LOGGED": ("LOGGED", GREY),
}


def counted(title: str, why: str, sql: str) -> Stat:
    """Return a number that a query counts."""
    return stat(title, why, Sql(sql), look=Look(nothing="0"))


DAY = Row(
    "Signals on ${trading_day}",
    [
        counted(
            "Said by strategies",
            "Signals of strategies, before anything was checked.",
            """
            SELECT count() AS signals FROM strategy_signals FINAL WHERE @of_the_day
            """,
        ),
        counted(
            "Valid",
            "Signals that are neither stale nor duplicates; the executor decides on them.",
            """
            SELECT uniqExact(signal_id) AS signals FROM trading_signals FINAL
            WHERE @of_the_day AND state = 'VALIDATED'
            """,
        ),
        counted(
            "Traded",
            "Decisions to open a position.",
            """
            SELECT countIf(outcome = 'executed') AS decisions FROM decisions FINAL WHERE @of_the_day
            """,
        ),
        counted(
            "Refused",
            "Decisions not to trade, each with its reason and numbers.",
            """
            SELECT countIf(outcome = 'refused') AS decisions FROM decisions FINAL WHERE @of_the_day
            """,
        ),
        counted(
            "Became a position",
            "Signals whose entry was filled.",
            """
            SELECT uniqExact(signal_id) AS signals FROM trading_signals FINAL
            WHERE @of_the_day AND state = 'ACTIVATED'
            """,
        ),
        stat(
            "Strategies stopped",
            "Strategies that raised an error since the service started: the others go on.",
            Prom('sum(alphastocks_events_published_total{type="StrategyStopped"}) or vector(0)'),
            look=Look(steps=NONE_IS_GOOD, alerts=["StrategyStopped"]),
        ),
        bars(
            "Why signals were not traded",
            "Reasons of signal and executor. `positions` and the like are limits.",
            Sql(
                """
                SELECT reason, uniqExact(signal_id) AS signals FROM trading_signals FINAL
                WHERE @of_the_day AND state = 'REJECTED'
                GROUP BY reason ORDER BY signals DESC LIMIT 12
                """
            ),
            look=Look(nothing="none was refused"),
        ),
        bars(
            "Signals by underlying",
            "Valid signals of the day.",
            Sql(
                """
                SELECT underlying, uniqExact(signal_id) AS signals FROM trading_signals FINAL
                WHERE @of_the_day AND state = 'VALIDATED'
                GROUP BY underlying ORDER BY signals DESC LIMIT 15
                """
            ),
            look=Look(),
        ),
        bars(
            "Signals by their time of the day",
            "Valid signals in each half hour, India's time.",
            Sql(
                """
                SELECT formatDateTime(toStartOfInterval(occurred_at, INTERVAL 30 minute),
                '%H:%i', 'Asia/Kolkata') AS at, uniqExact(signal_id) AS signals
                FROM trading_signals FINAL WHERE @of_the_day AND state = 'VALIDATED'
                GROUP BY at ORDER BY at
                """
            ),
            look=Look(),
            is_upright=True,
        ),
        table(
            "Signals and what became of them",
            "The furthest state that each signal reached. Prices are of the underlying; times are "
            "India's.",
            Sql(
                """
                SELECT formatDateTime(min(occurred_at), '%H:%i:%S', 'Asia/Kolkata') AS at,
                any(strategy) AS strategy, any(underlying) AS underlying, any(action) AS action,
                anyIf(price, state = 'NEW') AS price, anyIf(stop_loss, state = 'NEW') AS stop,
                anyIf(target, state = 'NEW') AS target,
                anyIf(confidence, state = 'NEW') AS confidence,
                argMax(state, indexOf(@states, state)) AS reached,
                argMax(reason, indexOf(@states, state)) AS reason, toString(signal_id) AS signal
                FROM trading_signals FINAL WHERE @of_the_day
                GROUP BY signal_id ORDER BY min(occurred_at) DESC LIMIT 500
                """
            ),
            Column("price", "currencyINR", 2),
            Column("stop", "currencyINR", 2),
            Column("target", "currencyINR", 2),
            Column("confidence", "percentunit", 0),
            Column("action", "string", names=ACTIONS),
            Column("reached", "string", names=STATE_NAMES),
            look=Look(nothing="no signal yet"),
        ).height(11),
        table(
            "How strategies did",
            "After charges, of positions closed today. Profit factor: gross profit by gross loss, "
            "empty without a loss.",
            Sql(
                """
                SELECT strategy, underlying, trades, wins, win_rate, net, average, profit_factor,
                drawdown, formatDateTime(occurred_at, '%H:%i', 'Asia/Kolkata') AS at
                FROM performance_metrics FINAL WHERE @of_the_day
                ORDER BY occurred_at DESC, trades DESC LIMIT 1 BY strategy, underlying
                """
            ),
            Column("win_rate", "percentunit", 0),
            Column("net", "currencyINR", 0, steps=GAIN),
            Column("average", "currencyINR", 0, steps=GAIN),
            Column("drawdown", "currencyINR", 0),
            Column("profit_factor", "short", 2),
            look=Look(nothing="no position closed yet"),
        ),
    ],
)

WORK = Row(
    "The services at work",
    [
        lines(
            "Signals",
            "Events a second of strategy, signal, executor and position, by kind.",
            Prom(
                "sum by (type) (rate(alphastocks_events_published_total"
                '{type=~"StrategySignal|Signal.+|ExecutionDecided"}[$__rate_interval]))',
                legend="{{type}}",
            ),
            look=Look(unit="eps"),
        ),
        lines(
            "Time of a strategy for a candle",
            "99 of 100 candles take less.",
            Prom(
                "histogram_quantile(0.99, sum by (le, strategy) ("
                "rate(alphastocks_strategy_seconds_bucket[$__rate_interval])))",
                legend="{{strategy}}",
            ),
            look=Look(unit="s"),
        ),
        lines(
            "Age of what is decided upon",
            "Time from the close of the candle to each step, by the clock of the services.",
            Prom(
                "max by (service, type) (alphastocks_data_age_seconds"
                '{type=~"StrategySignal|SignalGenerated", service=~"signal|executor"})',
                legend="{{service}}: {{type}}",
            ),
            look=Look(
                unit="s", steps=((None, GREEN), (10, YELLOW), (30, RED)), alerts=["CandlesOld"]
            ),
        ),
        lines(
            "Signals waiting",
            "Messages that signal and executor have not committed. A few of a quiet topic are the "
            "ends of transactions.",
            Prom(
                "sum by (group, topic) (alphastocks_consumer_lag"
                '{group=~"strategy|signal|executor", topic=~"candles|strategy_signals|signal_.+"})',
                legend="{{group}}: {{topic}}",
            ),
            look=Look(alerts=["ConsumerLag", "EventsWaiting"]),
        ),
    ],
)

BOARD = Board(
    name="strategies",
    title="Strategies and signals",
    description="Signals of the strategies: which passed, and how they ended.",
    rows=[DAY, WORK],
    by_day=True,
)
