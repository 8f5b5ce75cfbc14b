"""Execution: orders from plan to fill, what is at risk, and how the broker answers."""

from deploy.grafana.source.board import Board, Row
from deploy.grafana.source.panels import (
    GREEN,
    GREY,
    NONE_IS_GOOD,
    RED,
    YELLOW,
    Column,
    Look,
    bars,
    gauges,
    lines,
    stat,
    table,
)
from deploy.grafana.source.queries import Prom, Sql

FATES = {
    "OrderFilled": ("filled", GREEN),
    "OrderPlaced": ("placed", YELLOW),
    "OrderPlanned": ("planned", YELLOW),
    "OrderUnresolved": ("unresolved", RED),
    "OrderCancelled": ("cancelled", GREY),
    "OrderRejected": ("rejected", RED),
}

NOW = Row(
    "Now",
    [
        stat(
            "Mode",
            "The executor's mode. logging_only follows signals and orders nothing.",
            Prom("alphastocks_executor_mode == 1", legend="{{mode}}"),
            look=Look(),
            by_name=True,
        ).span(3),
        stat(
            "New positions",
            "Whether the executor may open any. A person or a limit halts it; exits go on.",
            Prom("max(alphastocks_trading_halted)"),
            look=Look(
                names={"0": ("allowed", GREEN), "1": ("halted", RED)},
                steps=NONE_IS_GOOD,
                alerts=["TradingHalted", "AccountDiffers"],
            ),
        ).span(3),
        stat(
            "Short of margin",
            "Underlyings in which nothing is bought for a while: an entry was rejected for margin.",
            Prom("max(alphastocks_underlyings_short_of_margin)"),
            look=Look(steps=NONE_IS_GOOD, alerts=["MarginShort"]),
        ).span(2),
        stat(
            "Orders working",
            "Orders that may still fill.",
            Prom("sum(alphastocks_orders_working)"),
            look=Look(),
        ).span(2),
        stat(
            "Unresolved orders",
            "Orders of which it is unknown whether the broker has them.",
            Prom("sum(alphastocks_orders_unresolved)"),
            look=Look(steps=NONE_IS_GOOD, alerts=["OrderUnresolved"]),
        ).span(2),
        gauges(
            "At risk",
            "Rupees lost if every stop of what is held and ordered is hit, and their limit.",
            Prom("max(alphastocks_at_risk_rupees)", legend="at risk"),
            Prom("max(alphastocks_at_risk_limit_rupees)", legend="limit"),
            look=Look(unit="currencyINR", decimals=0, least=0),
        )
        .span(4)
        .height(4),
        gauges(
            "Loss of the day",
            "Net loss of the positions closed today, 0 in profit, and the loss that ends the day.",
            Prom("max(alphastocks_day_loss_rupees)", legend="loss"),
            Prom("max(alphastocks_day_loss_limit_rupees)", legend="limit"),
            look=Look(
                unit="currencyINR",
                decimals=0,
                least=0,
                alerts=["DailyLossNear", "DailyLossReached"],
            ),
        )
        .span(4)
        .height(4),
        gauges(
            "Order requests left",
            "Requests that place, modify or cancel which Kite takes now, in each of its spans: "
            "10 a second, 400 a minute, 5,000 a day.",
            Prom(
                "min by (span_seconds) (alphastocks_order_budget_left)", legend="{{span_seconds}} s"
            ),
            look=Look(least=0, alerts=["OrderBudgetLow"]),
        )
        .span(4)
        .height(4),
        lines(
            "Doctor",
            "By line of `alphastocks doctor`: 1 is well, as of the latest examination.",
            Prom("min by (line) (alphastocks_doctor_ok)", legend="{{line}}"),
            look=Look(least=0, alerts=["DoctorLineFailed"]),
        )
        .span(18)
        .height(4),
        stat(
            "Live entries",
            "Whether a person has armed live entries; exits need no arming.",
            Prom("max(alphastocks_armed)"),
            look=Look(names={"0": ("not armed", GREEN), "1": ("armed", RED)}),
        )
        .span(6)
        .height(4),
    ],
)

BROKER = Row(
    "The broker",
    [
        lines(
            "Requests to Kite",
            "Requests a second, by class and outcome; ok or the kind of error.",
            Prom(
                "sum by (service, request_class, outcome) ("
                "rate(alphastocks_kite_request_seconds_count[$__rate_interval]))",
                legend="{{service}}: {{request_class}} {{outcome}}",
            ),
            look=Look(unit="reqps", alerts=["KiteFailing"]),
        ),
        lines(
            "Time of a request",
            "95 of 100 requests are answered sooner.",
            Prom(
                "histogram_quantile(0.95, sum by (le, service, request_class) ("
                "rate(alphastocks_kite_request_seconds_bucket[$__rate_interval])))",
                legend="{{service}}: {{request_class}}",
            ),
            look=Look(
                unit="s", steps=((None, GREEN), (0.5, YELLOW), (2, RED)), alerts=["KiteFailing"]
            ),
        ),
        lines(
            "Orders",
            "Steps of orders a second. More planned than placed: the broker does not accept them.",
            Prom(
                "sum by (type) (rate(alphastocks_events_published_total"
                '{type=~"Order.+"}[$__rate_interval]))',
                legend="{{type}}",
            ),
            look=Look(unit="eps"),
        ),
        lines(
            "Order requests left, minute by minute",
            "Requests left of the minute's 400. Exits need requests too.",
            Prom('min(alphastocks_order_budget_left{span_seconds="60"})', legend="within a minute"),
            look=Look(
                steps=((None, RED), (40, YELLOW), (100, GREEN)),
                least=0,
                alerts=["OrderBudgetLow"],
            ),
        ),
        lines(
            "Time to decide",
            "Time to decide on a signal (99th percentile): chain, filters, size, limits.",
            Prom(
                "histogram_quantile(0.99, sum by (le) (rate(alphastocks_handler_seconds_bucket"
                '{service="executor", type="SignalGenerated"}[$__rate_interval])))',
                legend="decision",
            ),
            look=Look(unit="s"),
        ),
        lines(
            "At risk through the day",
            "Rupees lost if every stop is hit; the dashed line is the limit.",
            Prom("max(alphastocks_at_risk_rupees)", legend="at risk"),
            Prom("max(alphastocks_at_risk_limit_rupees)", legend="limit"),
            look=Look(unit="currencyINR", decimals=0, least=0),
        ),
    ],
)

DAY = Row(
    "Orders on ${trading_day}",
    [
        bars(
            "Why orders ended without a fill",
            "Orders that were rejected, cancelled or are unresolved, by reason.",
            Sql(
                """
                SELECT if(reason = '', type, reason) AS why, uniqExact(order_id) AS orders
                FROM orders FINAL WHERE @of_the_day
                AND type IN ('OrderRejected', 'OrderCancelled', 'OrderUnresolved')
                GROUP BY why ORDER BY orders DESC LIMIT 12
                """
            ),
            look=Look(nothing="every order was filled"),
        ),
        table(
            "How fast, and at what price",
            "From plan to first fill, by the clock of the services. Slippage of entries: what was "
            "paid above the premium that was decided upon; more is worse.",
            Sql(
                """
                SELECT leg, count() AS orders, countIf(is_filled) AS filled,
                quantileIf(0.5)(seconds, is_filled) AS median,
                quantileIf(0.95)(seconds, is_filled) AS slow,
                avgIf(100 * (paid / premium - 1), is_filled AND premium > 0) AS slippage,
                sumIf((paid - premium) * units, is_filled AND premium > 0) AS cost
                FROM (
                SELECT order_id, any(leg) AS leg, countIf(type = 'OrderFilled') > 0 AS is_filled,
                dateDiff('millisecond', minIf(occurred_at, type = 'OrderPlanned'),
                minIf(occurred_at, type = 'OrderFilled')) / 1000 AS seconds,
                toFloat64(argMax(average_price, filled_quantity)) AS paid,
                max(filled_quantity) AS units,
                any(if(o.leg = 'entry', d.premium, 0)) AS premium
                FROM orders AS o FINAL
                LEFT JOIN (SELECT signal_id, premium FROM decisions FINAL WHERE @of_the_day
                AND outcome = 'executed') AS d ON d.signal_id = o.signal_id
                WHERE @of_the_day GROUP BY order_id)
                GROUP BY leg ORDER BY leg
                """
            ),
            Column("median", "s", 1),
            Column("slow", "s", 1),
            Column("slippage", "percent", 2),
            Column("cost", "currencyINR", 0),
            look=Look(nothing="no order yet"),
        )
        .span(16)
        .height(8),
        table(
            "Orders of the day",
            "Current state of each order, times in India. The tag finds it in the broker's book.",
            Sql(
                """
                SELECT formatDateTime(min(occurred_at), '%H:%i:%S', 'Asia/Kolkata') AS planned,
                any(leg) AS leg, any(tradingsymbol) AS symbol, any(transaction_type) AS side,
                max(quantity) AS quantity, max(filled_quantity) AS filled,
                anyIf(price, type = 'OrderPlanned') AS limit,
                argMax(average_price, filled_quantity) AS average,
                argMax(type, (indexOf(@steps, type), occurred_at)) AS fate,
                argMax(reason, reason != '') AS reason, any(mode) AS mode, any(tag) AS tag
                FROM orders FINAL WHERE @of_the_day
                GROUP BY order_id ORDER BY min(occurred_at) DESC LIMIT 500
                """
            ),
            Column("limit", "currencyINR", 2),
            Column("average", "currencyINR", 2),
            Column("fate", "string", names=FATES),
            look=Look(nothing="no order yet", alerts=["OrderUnresolved"]),
        ).height(11),
        table(
            "Decisions",
            "Why each signal was or was not traded, with the numbers that decided.",
            Sql(
                """
                SELECT formatDateTime(occurred_at, '%H:%i:%S', 'Asia/Kolkata') AS at, underlying,
                outcome, reason, tradingsymbol AS contract, lots, premium, numbers
                FROM decisions FINAL WHERE @of_the_day
                ORDER BY occurred_at DESC LIMIT 500
                """
            ),
            Column("premium", "currencyINR", 2),
            Column(
                "outcome",
                "string",
                names={"executed": ("traded", GREEN), "refused": ("refused", GREY)},
            ),
            look=Look(nothing="no decision yet"),
        ).height(11),
    ],
)

BOARD = Board(
    name="execution",
    title="Execution",
    description="Orders from plan to fill, what is at risk, and how the broker answers.",
    rows=[NOW, BROKER, DAY],
    by_day=True,
)
