"""Overview: is it trading, and is it healthy?"""

from deploy.grafana.source.board import Board, Row
from deploy.grafana.source.panels import (
    ALL_IS_GOOD,
    BLUE,
    GAIN,
    GREEN,
    GREY,
    NONE_IS_GOOD,
    RED,
    YELLOW,
    Column,
    Look,
    gauges,
    lines,
    linked,
    stat,
    states,
    table,
    without,
)
from deploy.grafana.source.queries import Prom, Sql
from deploy.grafana.source.runbook import UID

SEVERITIES = {"page": ("page", RED), "warn": ("warn", YELLOW), "info": ("info", BLUE)}
UP = {"0": ("does not work", RED), "1": ("works", GREEN)}

ALERTS = Row(
    "What needs you",
    [
        stat(
            "Pages",
            "Alerts on risks to money or the trading day.",
            Prom('count(ALERTS{alertstate="firing", severity="page"}) or vector(0)'),
            look=Look(steps=NONE_IS_GOOD),
        ),
        stat(
            "Warnings",
            "Alerts to look at within the hour.",
            Prom('count(ALERTS{alertstate="firing", severity="warn"}) or vector(0)'),
            look=Look(steps=((None, GREEN), (1, YELLOW))),
        ),
        without(
            linked(
                table(
                    "Alerts",
                    "The alerts that fire now; the name links to the runbook.",
                    Prom(
                        "sum by (alertname, severity, service, group, topic) "
                        '(ALERTS{alertstate="firing"})',
                        now=True,
                        is_table=True,
                    ),
                    Column("severity", names=SEVERITIES),
                    look=Look(nothing="nothing fires"),
                ),
                "alertname",
                "Runbook",
                f"/d/{UID}",
            ),
            "Time",
            "Value",
            renamed={"alertname": "alert"},
        )
        .span(16)
        .height(4),
    ],
)

TRADING = Row(
    "Is it trading?",
    [
        stat(
            "Market",
            "Whether the exchange is in session, by the clock of the services.",
            Prom("max(alphastocks_market_open)"),
            look=Look(names={"0": ("closed", GREY), "1": ("open", GREEN)}, steps=ALL_IS_GOOD),
        ),
        stat(
            "Mode",
            "The executor's mode. logging_only follows signals and orders nothing.",
            Prom("alphastocks_executor_mode == 1", legend="{{mode}}"),
            look=Look(),
            by_name=True,
        ),
        stat(
            "New positions",
            "Whether the executor may open any. A person or a limit halts it; exits go on.",
            Prom("max(alphastocks_trading_halted)"),
            look=Look(
                names={"0": ("allowed", GREEN), "1": ("halted", RED)},
                steps=NONE_IS_GOOD,
                alerts=["TradingHalted"],
            ),
        ),
        stat(
            "Open positions",
            "Positions that are held now.",
            Prom("sum(alphastocks_positions_open)"),
            look=Look(alerts=["PositionsAfterClose"]),
        ),
        stat(
            "Without a stop",
            "Open positions without a stop, or without a quote for a minute.",
            Prom("sum(alphastocks_positions_unguarded)"),
            look=Look(steps=NONE_IS_GOOD, alerts=["PositionUnguarded"]),
        ),
        stat(
            "Unresolved orders",
            "Orders of which it is unknown whether the broker has them.",
            Prom("sum(alphastocks_orders_unresolved)"),
            look=Look(steps=NONE_IS_GOOD, alerts=["OrderUnresolved"]),
        ),
        stat(
            "Result of the day",
            "Closed positions after charges, and open ones at their last price.",
            Prom("sum(alphastocks_realised_pnl_rupees) + sum(alphastocks_unrealised_pnl_rupees)"),
            look=Look(unit="currencyINR", decimals=0, steps=GAIN, alerts=["OpenLossNear"]),
        )
        .span(6)
        .height(8),
        gauges(
            "Limits used",
            "Loss of the day, and rupees at the stops of what is held, as parts of their limits. "
            "When a limit is used up, the executor opens nothing more.",
            Prom(
                "max(alphastocks_day_loss_rupees) / (max(alphastocks_day_loss_limit_rupees) > 0)",
                legend="loss of the day",
            ),
            Prom(
                "max(alphastocks_at_risk_rupees) / (max(alphastocks_at_risk_limit_rupees) > 0)",
                legend="at risk",
            ),
            look=Look(
                unit="percentunit",
                steps=((None, GREEN), (0.6, YELLOW), (0.8, RED)),
                least=0,
                most=1,
                alerts=["DailyLossNear", "DailyLossReached"],
            ),
        )
        .span(6)
        .height(8),
        lines(
            "Result through the day",
            "Rupees of closed positions after charges, and of open ones at their last price.",
            Prom("sum(alphastocks_realised_pnl_rupees)", legend="closed, after charges"),
            Prom("sum(alphastocks_unrealised_pnl_rupees)", legend="open"),
            look=Look(unit="currencyINR", decimals=0),
        )
        .span(12)
        .height(8),
        table(
            "Held",
            "Open positions of the newest trading day at their last marks; how far the premium has "
            "to go to its stop, in percent.",
            Sql(
                """
                SELECT tradingsymbol AS symbol, quantity, toFloat64(entry_price) AS entry,
                toFloat64(last_price) AS last, unrealised AS open,
                100 * (toFloat64(stop_loss) / nullIf(last, 0) - 1) AS to_stop,
                formatDateTime(occurred_at, '%H:%i:%S', 'Asia/Kolkata') AS marked
                FROM (
                SELECT * FROM positions FINAL
                WHERE trading_day = (SELECT max(trading_day) FROM positions)
                ORDER BY type = 'PositionClosed' DESC, occurred_at DESC LIMIT 1 BY position_id)
                WHERE type != 'PositionClosed' ORDER BY opened_at
                """
            ),
            Column("entry", "currencyINR", 2),
            Column("last", "currencyINR", 2),
            Column("open", "currencyINR", 0, steps=GAIN),
            Column("to_stop", "percent", 1, steps=((None, GREY), (-10, YELLOW), (-3, RED))),
            look=Look(nothing="nothing is held", alerts=["PositionUnguarded"]),
        )
        .span(24)
        .height(6),
    ],
)

HEALTH = Row(
    "Is it healthy?",
    [
        stat(
            "Age of the feed",
            "Wall time since the last tick arrived. Over 10 s in market hours the feed is dead.",
            Prom("max(alphastocks_feed_age_seconds)"),
            look=Look(
                unit="s",
                decimals=1,
                steps=((None, GREEN), (3, YELLOW), (10, RED)),
                alerts=["FeedDead"],
            ),
        ),
        stat(
            "Age of prices",
            "How old the newest tick was when executor and position handled it.",
            Prom(
                'max(alphastocks_data_age_seconds{type="TickBatch", service=~"executor|position"})'
            ),
            look=Look(
                unit="s",
                decimals=1,
                steps=((None, GREEN), (3, YELLOW), (10, RED)),
                alerts=["DataOld", "TicksStuck"],
            ),
        ),
        stat(
            "Lag of ticks",
            "Ticks and candles (messages) that the slowest group has not committed.",
            Prom(
                "max(sum by (group, topic) (alphastocks_consumer_lag"
                '{topic=~"ticks|candles", group!~".+[.]writer[.].+"}))'
            ),
            look=Look(
                steps=((None, GREEN), (200, YELLOW), (1000, RED)),
                alerts=["ConsumerLag", "EventsWaiting"],
            ),
        ),
        stat(
            "Dead letters",
            "Messages that a service could not handle, since the services started.",
            Prom("sum(alphastocks_dead_letters_total) or vector(0)"),
            look=Look(steps=((None, GREEN), (1, YELLOW)), alerts=["DeadLetters"]),
        ),
        stat(
            "Writers",
            "Writers that work. One that retries waits for ClickHouse.",
            Prom('min(alphastocks_component_up{component=~".+[.]writer[.].+"})'),
            look=Look(
                names={"0": ("wait", RED), "1": ("all work", GREEN)},
                steps=ALL_IS_GOOD,
                alerts=["ClickHouseAway"],
            ),
        ),
        stat(
            "Orders a minute left",
            "Requests that place, modify or cancel which Kite takes within the next minute.",
            Prom('min(alphastocks_order_budget_left{span_seconds="60"})'),
            look=Look(steps=((None, RED), (40, YELLOW), (100, GREEN)), alerts=["OrderBudgetLow"]),
        ),
        states(
            "Services",
            "Green: all components of the service work. Yellow: it waits for a login or for the "
            "next trading day. Red: a component does not work, or the service is down.",
            Prom(
                'min by (service) (alphastocks_component_up{required="true"} == 0) '
                "or 2 * max by (service) (alphastocks_service_waiting == 1) "
                'or min by (service) (alphastocks_component_up{required="true"}) '
                'or 0 * max by (service) (up{job="alphastocks"})',
                legend="{{service}}",
            ),
            look=Look(
                names={**UP, "2": ("waits", YELLOW)},
                steps=ALL_IS_GOOD,
                alerts=["ServiceDown", "ServiceMissing", "NotReadyInSession", "ServiceNotReady"],
            ),
        ),
        lines(
            "From tick to order",
            "Events published a second, by kind; a flat line shows where the chain is broken.",
            Prom(
                "sum by (type) (rate(alphastocks_events_published_total"
                '{type=~"TickBatch|CandleBatch|StrategySignal|SignalGenerated|OrderPlaced"}'
                "[$__rate_interval]))",
                legend="{{type}}",
            ),
            look=Look(unit="eps"),
        ),
    ],
)

BOARD = Board(
    name="overview",
    title="Overview",
    description="Is it trading, and is it healthy? The first page of the day.",
    rows=[ALERTS, TRADING, HEALTH],
)
