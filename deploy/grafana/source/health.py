"""The bus, the database and the services: do they keep up, and what goes wrong?"""

from deploy.grafana.source.board import Board, Row
from deploy.grafana.source.panels import (
    ALL_IS_GOOD,
    GREEN,
    RED,
    YELLOW,
    Column,
    Look,
    lines,
    stat,
    states,
    table,
)
from deploy.grafana.source.queries import Prom, Sql

UP = {"0": ("does not work", RED), "1": ("works", GREEN)}
PATH, WRITERS = 'group!~".+[.]writer[.].+"', 'group=~".+[.]writer[.].+"'


def slowest(metric: str, label: str, part: float = 0.99) -> str:
    """Return PromQL for the time that so many of a histogram's observations do not exceed."""
    rates = f"sum by (le, {label}) (rate({metric}_bucket[$__rate_interval]))"
    return f"histogram_quantile({part}, {rates})"


PARTS = Row(
    "Services and their parts",
    [
        states(
            "Services",
            "Whether each answers Prometheus.",
            Prom('min by (service, instance) (up{job="alphastocks"})', legend="{{service}}"),
            look=Look(names=UP, steps=ALL_IS_GOOD, alerts=["ServiceDown", "ServiceMissing"]),
        ),
        states(
            "Parts that a service needs",
            "Consumer groups, the tasks of the service, and the bus: without one it is not ready.",
            Prom(
                'min by (service, component) (alphastocks_component_up{required="true"})',
                legend="{{service}}: {{component}}",
            ),
            look=Look(names=UP, steps=ALL_IS_GOOD, alerts=["NotReadyInSession", "ServiceNotReady"]),
        ),
        states(
            "Writers",
            "Red: the writer retries, since ClickHouse is down or refuses its rows.",
            Prom(
                'min by (component) (alphastocks_component_up{component=~".+[.]writer[.].+"})',
                legend="{{component}}",
            ),
            look=Look(names=UP, steps=ALL_IS_GOOD, alerts=["ClickHouseAway"]),
        ),
        lines(
            "Retries",
            "Retries after errors of bus, database or broker, in five minutes.",
            Prom(
                "sum by (service, what) (increase(alphastocks_retries_total[5m]))",
                legend="{{service}}: {{what}}",
            ),
            look=Look(alerts=["ClickHouseAway"], nothing="nothing had to be tried again"),
        ),
    ],
)

BUS = Row(
    "The bus",
    [
        lines(
            "Lag on the way",
            "Messages that each group has not committed. The marker at the end of a transaction "
            "counts as one: a few on an idle topic mean nothing.",
            Prom(
                f"sum by (group, topic) (alphastocks_consumer_lag{{{PATH}}})",
                legend="{{group}}: {{topic}}",
            ),
            look=Look(steps=((None, GREEN), (200, RED)), alerts=["ConsumerLag", "EventsWaiting"]),
        ),
        lines(
            "Lag of the writers",
            "Messages that are not in the tables yet. Trading does not wait for them.",
            Prom(f"sum by (group) (alphastocks_consumer_lag{{{WRITERS}}})", legend="{{group}}"),
            look=Look(steps=((None, GREEN), (5000, YELLOW)), alerts=["WriterLag"]),
        ),
        lines(
            "Events published",
            "Events a second, by kind.",
            Prom(
                "sum by (type) (rate(alphastocks_events_published_total[$__rate_interval]))",
                legend="{{type}}",
            ),
            look=Look(unit="eps"),
        ),
        lines(
            "Events handled",
            "Events a second, by service.",
            Prom(
                "sum by (service) (rate(alphastocks_events_handled_total[$__rate_interval]))",
                legend="{{service}}",
            ),
            look=Look(unit="eps"),
        ),
        lines(
            "Time in the handler",
            "99 of 100 events take less, by kind.",
            Prom(slowest("alphastocks_handler_seconds", "type"), legend="{{type}}"),
            look=Look(unit="s"),
        ),
        lines(
            "Time of a checkpoint",
            "Time to flush what was published and commit what was handled (99th percentile).",
            Prom(slowest("alphastocks_checkpoint_seconds", "group"), legend="{{group}}"),
            look=Look(unit="s"),
        ),
        lines(
            "Age of events",
            "How old the newest event of each kind was when it was handled.",
            Prom(
                'max by (type) (alphastocks_data_age_seconds{service!="ingest"})',
                legend="{{type}}",
            ),
            look=Look(unit="s", alerts=["DataOld", "CandlesOld"]),
        ),
        lines(
            "Dead letters",
            "Messages that a service could not handle, since it started.",
            Prom(
                "sum by (service, topic) (alphastocks_dead_letters_total)",
                legend="{{service}}: {{topic}}",
            ),
            look=Look(alerts=["DeadLetters"], nothing="none"),
        ),
    ],
)

CLICKHOUSE = Row(
    "ClickHouse",
    [
        stat(
            "ClickHouse",
            "Whether it answers Prometheus.",
            Prom('min(up{job="clickhouse"})'),
            look=Look(names=UP, steps=ALL_IS_GOOD, alerts=["ClickHouseAway"]),
        ),
        stat(
            "Up for",
            "Time since it started.",
            Prom("max(ClickHouseAsyncMetrics_Uptime)"),
            look=Look(unit="s"),
        ),
        stat(
            "Disk free",
            "Part of its disk that is free.",
            Prom(
                "min(ClickHouseAsyncMetrics_DiskAvailable_default "
                "/ ClickHouseAsyncMetrics_DiskTotal_default)"
            ),
            look=Look(
                unit="percentunit",
                decimals=0,
                steps=((None, RED), (0.1, YELLOW), (0.25, GREEN)),
                alerts=["ClickHouseDiskLow"],
            ),
        ),
        stat(
            "Memory",
            "What the server holds.",
            Prom("max(ClickHouseAsyncMetrics_MemoryResident)"),
            look=Look(unit="bytes"),
        ),
        stat(
            "Parts of a partition",
            "The largest number. From 300 merges do not keep up; from 1,000 inserts are slowed.",
            Prom("max(ClickHouseAsyncMetrics_MaxPartCountForPartition)"),
            look=Look(steps=((None, GREEN), (300, YELLOW), (1000, RED))),
        ),
        stat(
            "Failed queries",
            "Queries of anybody that ended with an error, in an hour.",
            Prom("sum(increase(ClickHouseProfileEvents_FailedQuery[1h]))"),
            look=Look(decimals=0, steps=((None, GREEN), (1, YELLOW))),
        ),
        lines(
            "Rows inserted",
            "Rows a second that the writers brought, by table.",
            Prom(
                "sum by (table) (rate(alphastocks_rows_inserted_total[$__rate_interval]))",
                legend="{{table}}",
            ),
            look=Look(unit="cps"),
        ),
        lines(
            "Time of an insert",
            "99 of 100 inserts take less, as the writers see it.",
            Prom(slowest("alphastocks_insert_seconds", "table"), legend="{{table}}"),
            look=Look(unit="s", steps=((None, GREEN), (1, YELLOW), (5, RED))),
        ),
        lines(
            "Queries",
            "Queries a second, and those that failed.",
            Prom("sum(rate(ClickHouseProfileEvents_SelectQuery[$__rate_interval]))", legend="read"),
            Prom(
                "sum(rate(ClickHouseProfileEvents_InsertQuery[$__rate_interval]))", legend="write"
            ),
            Prom(
                "sum(rate(ClickHouseProfileEvents_FailedQuery[$__rate_interval]))", legend="failed"
            ),
            look=Look(unit="ops"),
        ),
        lines(
            "Merges and memory",
            "Merges that run, and inserts that were slowed or refused as too many parts wait.",
            Prom("max(ClickHouseMetrics_Merge)", legend="merges"),
            Prom(
                "sum(increase(ClickHouseProfileEvents_DelayedInserts[5m]))",
                legend="inserts slowed",
            ),
            Prom(
                "sum(increase(ClickHouseProfileEvents_RejectedInserts[5m]))",
                legend="inserts refused",
            ),
            look=Look(),
        ),
        table(
            "Tables",
            "What each table holds on disk; rows count revisions that a merge has not removed yet.",
            Sql(
                """
                SELECT table, sum(rows) AS rows, sum(bytes_on_disk) AS size,
                sum(data_uncompressed_bytes) / nullIf(sum(data_compressed_bytes), 0) AS packed,
                count() AS parts,
                formatDateTime(max(modification_time), '%F %T', 'Asia/Kolkata') AS changed
                FROM system.parts WHERE active AND database = currentDatabase()
                GROUP BY table ORDER BY size DESC
                """
            ),
            Column("rows", "short"),
            Column("size", "bytes"),
            Column("packed", "short", 1),
        ),
    ],
)

WATCH = Row(
    "Prometheus",
    [
        lines(
            "Time of a scrape",
            "How long each target takes to answer.",
            Prom("max by (job, service) (scrape_duration_seconds)", legend="{{job}} {{service}}"),
            look=Look(unit="s"),
        ),
        lines(
            "Rules that cannot be evaluated",
            "Failures in ten minutes: alerts of such a group cannot fire.",
            Prom(
                "sum by (rule_group) (increase(prometheus_rule_evaluation_failures_total[10m]))",
                legend="{{rule_group}}",
            ),
            look=Look(alerts=["RulesFailing"]),
        ),
    ],
)

BOARD = Board(
    name="health",
    title="Kafka and ClickHouse",
    description="Do bus, database and services keep up, and what goes wrong?",
    rows=[PARTS, BUS, CLICKHOUSE, WATCH],
)
