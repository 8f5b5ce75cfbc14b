"""The bus inside one process: partitions, groups and a journal on disk."""
