#!/bin/bash
# A user for dashboards, who can read the database and change nothing. Runs once, with an empty volume.
set -eu
password=$(cat "${READER_PASSWORD_FILE:-/run/secrets/reader/clickhouse_password}")
clickhouse-client --user "$CLICKHOUSE_USER" --password "$(cat "$CLICKHOUSE_PASSWORD_FILE")" --multiquery <<SQL
CREATE USER IF NOT EXISTS grafana IDENTIFIED WITH sha256_password BY '${password}'
    SETTINGS readonly = 2, max_execution_time = 30, max_memory_usage = 1000000000;
GRANT SELECT ON ${CLICKHOUSE_DB}.* TO grafana;
GRANT SELECT ON system.* TO grafana;
SQL
