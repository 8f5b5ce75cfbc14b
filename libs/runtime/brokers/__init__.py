"""Which broker: names in the settings become connectors here, and nowhere else."""
