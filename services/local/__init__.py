"""Everything in one process: the `alphastocks` command."""
