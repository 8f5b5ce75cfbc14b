"""Market data: does it come, is it sound, is it fresh?"""

from deploy.grafana.source.board import Board, Row
from deploy.grafana.source.panels import (
    ALL_IS_GOOD,
    GREEN,
    GREY,
    RED,
    YELLOW,
    Column,
    Look,
    lines,
    stat,
    table,
    word,
)
from deploy.grafana.source.queries import Prom, Sql

AGES = ((None, GREEN), (3, YELLOW), (10, RED))
CHANGE = ((None, RED), (0, GREEN))

FEED = Row(
    "The feed",
    [
        stat(
            "Market",
            "Whether the exchange is in session, by the clock of the services.",
            Prom("max(alphastocks_market_open)"),
            look=Look(names={"0": ("closed", GREY), "1": ("open", GREEN)}, steps=ALL_IS_GOOD),
        ),
        stat(
            "Age of the feed",
            "Wall time since the last tick arrived. Over 10 s in market hours the feed is dead.",
            Prom("max(alphastocks_feed_age_seconds)"),
            look=Look(unit="s", decimals=1, steps=AGES, alerts=["FeedDead"]),
        ),
        stat(
            "Clock",
            "Machine's clock less the exchange's, 0 within a second. Over 2 s nothing is opened.",
            Prom("max(abs(alphastocks_clock_offset_seconds))"),
            look=Look(
                unit="s",
                decimals=1,
                steps=((None, GREEN), (1, YELLOW), (2, RED)),
                alerts=["ClockOff"],
            ),
        ),
        stat(
            "Frames a second",
            "Frames taken from the feed; at the market's pace about one for each connection.",
            Prom("sum(rate(alphastocks_feed_frames_total[$__rate_interval]))"),
            look=Look(decimals=1),
        ),
        stat(
            "Ticks refused",
            "Share of the feed's ticks that candle refused, for any reason.",
            Prom(
                "sum(rate(alphastocks_ticks_rejected_total[$__rate_interval])) "
                "/ (sum(rate(alphastocks_feed_ticks_total[$__rate_interval])) > 0)"
            ),
            look=Look(
                unit="percentunit", decimals=2, steps=((None, GREEN), (0.01, YELLOW), (0.05, RED))
            ),
        ),
        word(
            "Last one-minute candle",
            "Close of the newest candle in the table, India's time.",
            Sql(
                """
                SELECT formatDateTime(max(closes_at), '%H:%i', 'Asia/Kolkata') AS closed
                FROM historical_data
                WHERE source = 'live' AND interval = '1m'
                AND @of_the_day
                """
            ),
            look=Look(unit="string"),
        ),
    ],
)

FLOW = Row(
    "How much, and how sound",
    [
        lines(
            "Ticks from the feed",
            "Ticks a second that ingest took from the feed.",
            Prom("sum(rate(alphastocks_feed_ticks_total[$__rate_interval]))", legend="ticks"),
            look=Look(unit="cps", alerts=["FeedDead"]),
        ),
        lines(
            "Ticks stored",
            "Rows that reached market_data, a second, by the time of their insert.",
            Sql(
                """
                SELECT $__timeInterval(inserted_at) AS time,
                count() / $__interval_s AS rows
                FROM market_data WHERE $__timeFilter(inserted_at)
                GROUP BY time ORDER BY time
                """,
                is_series=True,
            ),
            look=Look(unit="cps", alerts=["WriterLag"]),
        ),
        lines(
            "Ticks refused, by reason",
            "Ticks a second that made no candle. Duplicates are usual; a jump of another reason is "
            "a feed that sends garbage.",
            Prom(
                "sum by (reason) (rate(alphastocks_ticks_rejected_total[$__rate_interval]))",
                legend="{{reason}}",
            ),
            look=Look(unit="cps", alerts=["TicksRefused"]),
        ),
        lines(
            "Ticks taken with a defect",
            "Ticks a second that stepped back in time or volume and were accepted.",
            Prom(
                "sum by (reason) (rate(alphastocks_ticks_flagged_total[$__rate_interval]))",
                legend="{{reason}}",
            ),
            look=Look(unit="cps"),
        ),
        lines(
            "Rows of the instrument dumps left out",
            "Rows of the day's dumps that could not be read, since the start of ingest, whose log "
            "names line and column.",
            Prom("max(alphastocks_dump_rows_left_out_total)", legend="rows"),
            look=Look(unit="short", decimals=0),
        ),
        lines(
            "Instruments that are not listed",
            "1 for an instrument of the universe that the dump of the day lacks.",
            Prom(
                "max by (instrument) (alphastocks_missing_instruments) or label_replace(vector(0), "
                '"instrument", "none", "", "")',
                legend="{{instrument}}",
            ),
            look=Look(unit="short", decimals=0, alerts=["InstrumentsMissing"]),
        ),
    ],
)

CONNECTIONS = Row(
    "Connections",
    [
        lines(
            "Age of connections",
            "Time since each websocket brought a tick that was news, while some are due.",
            Prom(
                "max by (connection) (alphastocks_feed_connection_age_seconds)",
                legend="{{connection}}",
            ),
            look=Look(unit="s", steps=AGES, alerts=["ConnectionSilent", "FeedHalted"]),
        ),
        lines(
            "Lag of connections",
            "How far the ticks of each websocket are behind the exchange's time.",
            Prom(
                "max by (connection) (alphastocks_feed_connection_lag_seconds)",
                legend="{{connection}}",
            ),
            look=Look(unit="s", steps=AGES, alerts=["ConnectionLags"]),
        ),
        lines(
            "What happened to connections",
            "Frames aside, since the start of ingest: reconnects, failures, refusals for their "
            "number, silences, broken packets and texts that cannot be read.",
            Prom(
                "max by (connection, what) "
                '(alphastocks_feed_connection_events_total{what!="frames"})',
                legend="{{connection}} {{what}}",
            ),
            look=Look(unit="short", decimals=0),
        ),
        lines(
            "Quoted by request",
            "Instruments that no websocket brings: those that requests quote, and the rest.",
            Prom("max(alphastocks_feed_polled_instruments)", legend="by request"),
            Prom("max(alphastocks_feed_unquoted_instruments)", legend="not at all"),
            look=Look(unit="short", decimals=0, alerts=["QuotesPolled", "InstrumentsUnquoted"]),
        ),
    ],
)

AGE = Row(
    "How fresh",
    [
        lines(
            "Age of ticks, hop by hop",
            "How old the newest ticks were when each service handled them.",
            Prom(
                'max by (service) (alphastocks_data_age_seconds{type="TickBatch"})',
                legend="{{service}}",
            ),
            look=Look(unit="s", steps=AGES, alerts=["DataOld", "TicksStuck"]),
        ),
        lines(
            "Age of candles",
            "From a candle's close to the strategies. Candles wait two seconds for late ticks.",
            Prom(
                "max by (service) (alphastocks_data_age_seconds"
                '{type="CandleBatch", service="strategy"})',
                legend="{{service}}",
            ),
            look=Look(
                unit="s", steps=((None, GREEN), (10, YELLOW), (30, RED)), alerts=["CandlesOld"]
            ),
        ),
        lines(
            "Time for a batch of ticks",
            "99 of 100 batches take less in the handler; the second line is the median.",
            Prom(
                "histogram_quantile(0.99, sum by (le, service) (rate("
                'alphastocks_handler_seconds_bucket{type="TickBatch"}[$__rate_interval])))',
                legend="{{service}} 99 %",
            ),
            Prom(
                "histogram_quantile(0.5, sum by (le, service) (rate("
                'alphastocks_handler_seconds_bucket{type="TickBatch"}[$__rate_interval])))',
                legend="{{service}} median",
            ),
            look=Look(unit="s"),
        ),
        lines(
            "Candles stored, by interval",
            "Rows of historical_data a minute, by the time of their insert.",
            Sql(
                """
                SELECT toStartOfMinute(inserted_at) AS time, interval, count() AS candles
                FROM historical_data WHERE source = 'live' AND $__timeFilter(inserted_at)
                GROUP BY time, interval ORDER BY time, interval
                """,
                is_series=True,
            ),
            look=Look(unit="short"),
        ),
    ],
)

MARKET = Row(
    "The market on ${trading_day}",
    [
        table(
            "Underlyings",
            "From one-minute candles. Missing: minutes between first and last candle of the "
            "day that have none, since nothing traded or nothing came.",
            Sql(
                """
                SELECT tradingsymbol AS symbol,
                argMax(close, opened_at) AS last,
                100 * (last / argMin(open, opened_at) - 1) AS change,
                min(low) AS lowest, max(high) AS highest,
                max(cumulative_volume) AS traded,
                sum(ticks) AS ticks, count() AS candles,
                dateDiff('minute', min(opened_at), max(closes_at)) - candles AS missing,
                countIf(revision > 0) AS revised,
                formatDateTime(max(closes_at), '%H:%i', 'Asia/Kolkata') AS until
                FROM historical_data FINAL
                WHERE source = 'live' AND interval = '1m'
                AND @of_the_day
                GROUP BY exchange, tradingsymbol, expiry ORDER BY symbol
                """
            ),
            Column("last", "currencyINR", 2),
            Column("lowest", "currencyINR", 2),
            Column("highest", "currencyINR", 2),
            Column("change", "percent", 2, steps=CHANGE),
            Column("missing", steps=((None, GREY), (1, YELLOW))),
            Column("traded", "short"),
        )
        .span(24)
        .height(10),
        table(
            "Option chains at the money",
            "The newest chain of each underlying, nearest expiry: the two options at the strike "
            "nearest to the forward, and what they cost together.",
            Sql(
                """
                SELECT underlying, toString(expiry) AS expires, strike,
                any(spot) AS spot, any(forward) AS forward,
                anyIf(last_price, instrument_type = 'CE') AS call,
                anyIf(last_price, instrument_type = 'PE') AS put,
                call + put AS straddle,
                100 * avgIf(implied_volatility, isFinite(implied_volatility)) AS volatility,
                max((ask_price - bid_price) / nullIf(ask_price + bid_price, 0) * 200) AS spread,
                formatDateTime(max(occurred_at), '%H:%i:%S', 'Asia/Kolkata') AS at
                FROM (
                SELECT * FROM options_data FINAL
                WHERE @of_the_day
                AND (underlying, occurred_at) IN (
                SELECT underlying, max(occurred_at) FROM options_data
                WHERE @of_the_day AND last_price > 0
                GROUP BY underlying)
                ORDER BY expiry, abs(strike - forward), instrument_type LIMIT 2 BY underlying)
                GROUP BY underlying, expiry, strike ORDER BY underlying
                """
            ),
            Column("strike", "short", 2),
            Column("spot", "currencyINR", 2),
            Column("forward", "currencyINR", 2),
            Column("call", "currencyINR", 2),
            Column("put", "currencyINR", 2),
            Column("straddle", "currencyINR", 2),
            Column("volatility", "percent", 1),
            Column("spread", "percent", 1, steps=((None, GREEN), (2, YELLOW), (5, RED))),
            look=Look(nothing="no chain yet"),
        )
        .span(24)
        .height(10),
    ],
)

BOARD = Board(
    name="market-data",
    title="Market data",
    description="Does it arrive, is it valid, is it fresh?",
    rows=[FEED, FLOW, CONNECTIONS, AGE, MARKET],
    by_day=True,
)
