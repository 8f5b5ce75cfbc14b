"""The errors of backup and restore."""

from libs.errors import AlphaStocksError


class BackupError(AlphaStocksError):
    """A folder, a bus or a database that cannot be backed up or restored; names which, and why."""
