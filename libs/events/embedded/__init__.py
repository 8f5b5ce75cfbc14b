"""The embedded bus: partitions, groups and a journal on disk, inside one process."""
