"""Tables: the store port, its ClickHouse adapter, table writers and migrations."""
