"""Positions, and profit and loss, from the tables."""

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

RUPEES = Look(unit="currencyINR", decimals=0, steps=GAIN, nothing="0")
REASONS = {
    "target": ("target", GREEN),
    "stop_loss": ("stop loss", RED),
    "square_off": ("square-off", GREY),
    "expiry": ("expiry", GREY),
    "holding_time": ("holding time", GREY),
    "manual": ("manual", YELLOW),
    "kill_switch": ("kill switch", YELLOW),
    "booking": ("booked in parts", GREEN),
    "stop_to_cost": ("stop at cost", GREY),
    "trailing_stop": ("trailing stop", GREEN),
    "opposite_signal": ("opposite signal", GREY),
    "daily_loss": ("loss of the day", RED),
    "daily_profit": ("profit of the day locked", GREEN),
    "strategy_daily_loss": ("strategy's loss of the day", RED),
    "strategy_daily_profit": ("strategy's profit of the day locked", GREEN),
}

DAY = Row(
    "Result on ${trading_day}",
    [
        stat(
            "Net",
            "Closed positions, after charges.",
            Sql("""
                SELECT sum(net) AS net FROM @closed
                """),
            look=RUPEES,
        ),
        stat(
            "Open",
            "Open positions at their last mark, before charges.",
            Sql("""
                SELECT sumIf(unrealised, type != 'PositionClosed') AS open FROM @last
                """),
            look=RUPEES,
        ),
        stat(
            "Closed",
            "Positions that were closed.",
            Sql("""
                SELECT count() AS positions FROM @closed
                """),
            look=Look(nothing="0"),
        ),
        stat(
            "Win rate",
            "Share of the closed positions with a profit after charges.",
            Sql("""
                SELECT countIf(net > 0) / nullIf(count(), 0) AS won FROM @closed
                """),
            look=Look(
                unit="percentunit", decimals=0, steps=((None, RED), (0.4, YELLOW), (0.5, GREEN))
            ),
        ),
        stat(
            "Charges",
            "Brokerage, STT, exchange, SEBI, stamp duty and GST of all positions of the day.",
            Sql("""
                SELECT sum(charges) AS charges FROM @last
                """),
            look=Look(unit="currencyINR", decimals=0, nothing="0"),
        ),
        stat(
            "Deepest fall",
            "Largest fall of the running net from its peak, position by position.",
            Sql(
                """
                SELECT max(peak - running) AS fall FROM (
                SELECT running, max(running) OVER (ORDER BY closed_at, position_id
                ROWS UNBOUNDED PRECEDING) AS peak FROM (
                SELECT closed_at, position_id, sum(toFloat64(net)) OVER (
                ORDER BY closed_at, position_id ROWS UNBOUNDED PRECEDING) AS running
                FROM @closed))
                """
            ),
            look=Look(unit="currencyINR", decimals=0, nothing="0"),
        ),
    ],
)

OPEN = Row(
    "Open",
    [
        stat(
            "Without a stop",
            "Open positions without a stop, or without a quote for a minute.",
            Prom("sum(alphastocks_positions_unguarded)"),
            look=Look(steps=NONE_IS_GOOD, alerts=["PositionUnguarded"]),
        ).span(12),
        stat(
            "Open now",
            "From the metrics of the position service, not from the tables.",
            Prom("sum(alphastocks_positions_open)"),
            look=Look(alerts=["PositionsAfterClose", "CalendarEnds", "RulesEnd"]),
        ).span(12),
        table(
            "Open positions",
            "To the stop, to the target: how far the premium has to go, in percent of its last "
            "mark. Times are India's.",
            Sql(
                """
                SELECT formatDateTime(opened_at, '%H:%i:%S', 'Asia/Kolkata') AS opened,
                tradingsymbol AS symbol, strategy, quantity, entry_price AS entry,
                last_price AS last, stop_loss AS stop, target, unrealised AS open,
                100 * (toFloat64(stop_loss) / nullIf(toFloat64(last_price), 0) - 1) AS to_stop,
                100 * (toFloat64(target) / nullIf(toFloat64(last_price), 0) - 1) AS to_target,
                toString(expiry) AS expires, mode,
                formatDateTime(occurred_at, '%H:%i:%S', 'Asia/Kolkata') AS marked
                FROM @last WHERE type != 'PositionClosed' ORDER BY opened_at
                """
            ),
            Column("entry", "currencyINR", 2),
            Column("last", "currencyINR", 2),
            Column("stop", "currencyINR", 2, steps=((None, RED), (0.01, GREY))),
            Column("target", "currencyINR", 2),
            Column("open", "currencyINR", 0, steps=GAIN),
            Column("to_stop", "percent", 1, steps=((None, GREY), (-10, YELLOW), (-3, RED))),
            Column("to_target", "percent", 1),
            look=Look(
                nothing="nothing is held", alerts=["PositionUnguarded", "PositionsAfterClose"]
            ),
        ).height(8),
        lines(
            "Closed and open, live",
            "Rupees as the position service has them: closed after charges, open at marks.",
            Prom("sum(alphastocks_realised_pnl_rupees)", legend="closed, after charges"),
            Prom("sum(alphastocks_unrealised_pnl_rupees)", legend="open"),
            look=Look(unit="currencyINR", decimals=0, alerts=["OpenLossNear"]),
        ),
        lines(
            "Marks of each position",
            "Unrealised rupees at each mark, by the time when it reached the table.",
            Sql(
                """
                SELECT $__timeInterval(inserted_at) AS time, tradingsymbol,
                argMax(toFloat64(unrealised), occurred_at) AS open
                FROM positions FINAL
                WHERE $__timeFilter(inserted_at) AND type != 'PositionClosed'
                GROUP BY time, tradingsymbol ORDER BY time
                """,
                is_series=True,
            ),
            look=Look(unit="currencyINR", decimals=0),
        ),
    ],
)

CLOSED_ROW = Row(
    "Closed on ${trading_day}",
    [
        bars(
            "By strategy",
            "Net rupees after charges.",
            Sql(
                """
                SELECT strategy, toFloat64(sum(net)) AS net FROM @closed AS closed
                GROUP BY strategy ORDER BY net DESC
                """
            ),
            look=RUPEES,
        ),
        bars(
            "By underlying",
            "Net rupees after charges.",
            Sql(
                """
                SELECT underlying, toFloat64(sum(net)) AS net FROM @closed AS closed
                GROUP BY underlying ORDER BY net DESC LIMIT 15
                """
            ),
            look=RUPEES,
        ),
        bars(
            "By reason of the exit",
            "Net rupees after charges.",
            Sql(
                """
                SELECT reason, toFloat64(sum(net)) AS net FROM @closed AS closed
                GROUP BY reason ORDER BY net DESC
                """
            ),
            look=RUPEES,
        ),
        bars(
            "The day as it went",
            "Running net of the closed positions at the end of each quarter of an hour in which "
            "one closed, India's time.",
            Sql(
                """
                SELECT formatDateTime(slot, '%H:%i', 'Asia/Kolkata') AS until,
                sum(earned) OVER (ORDER BY slot ROWS UNBOUNDED PRECEDING) AS net FROM (
                SELECT toStartOfInterval(assumeNotNull(closed_at), INTERVAL 15 minute)
                + INTERVAL 15 minute AS slot, sum(toFloat64(net)) AS earned
                FROM @closed AS closed GROUP BY slot) ORDER BY slot
                """
            ),
            look=RUPEES,
            is_upright=True,
        )
        .span(24)
        .height(7),
        table(
            "Closed positions",
            "Held: from the first fill to the last sale. Times are India's.",
            Sql(
                """
                SELECT formatDateTime(opened_at, '%H:%i:%S', 'Asia/Kolkata') AS opened,
                formatDateTime(assumeNotNull(closed_at), '%H:%i:%S', 'Asia/Kolkata') AS closed,
                dateDiff('second', opened_at, assumeNotNull(closed_at)) AS held,
                tradingsymbol AS symbol, strategy, entry_price AS entry, exit_price AS exit,
                realised AS gross, charges, net, reason, mode
                FROM @closed AS c ORDER BY closed_at DESC LIMIT 500
                """
            ),
            Column("held", "s"),
            Column("entry", "currencyINR", 2),
            Column("exit", "currencyINR", 2),
            Column("gross", "currencyINR", 0, steps=GAIN),
            Column("charges", "currencyINR", 2),
            Column("net", "currencyINR", 0, steps=GAIN),
            Column("reason", "string", names=REASONS),
            look=Look(nothing="no position closed yet"),
        ).height(11),
    ],
)

PAST = Row(
    "Day by day",
    [
        table(
            "Trading days",
            "The last sixty days with a closed position: net after charges, and its running sum.",
            Sql(
                """
                SELECT day, closed, won, cost AS charges, earned AS net,
                sum(earned) OVER (ORDER BY day ROWS UNBOUNDED PRECEDING) AS running FROM (
                SELECT toString(trading_day) AS day, count() AS closed,
                countIf(net > 0) / count() AS won,
                sum(toFloat64(charges)) AS cost, sum(toFloat64(net)) AS earned
                FROM positions FINAL WHERE type = 'PositionClosed'
                GROUP BY day ORDER BY day DESC LIMIT 60) ORDER BY day DESC
                """
            ),
            Column("won", "percentunit", 0),
            Column("charges", "currencyINR", 0),
            Column("net", "currencyINR", 0, steps=GAIN),
            Column("running", "currencyINR", 0, steps=GAIN),
            look=Look(nothing="no position closed yet"),
        ),
    ],
)

BOARD = Board(
    name="positions",
    title="Positions and P&L",
    description="Positions, their profit and loss, and why they were closed.",
    rows=[DAY, OPEN, CLOSED_ROW, PAST],
    by_day=True,
)
