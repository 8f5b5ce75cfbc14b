"""Backup and restore: the tables of ClickHouse, the records of the bus, the groups' offsets."""
