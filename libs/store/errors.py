"""The errors of the store.

StoreError                  is_retriable
├── StoreUnavailable        yes   no answer: refused, timeout, disconnected, overloaded, stopping
├── StoreRejected           no    the server refuses the statement or the login
│   └── ColumnsRejected     no    columns that do not fit their table, found before or on insert
├── MigrationRefused        no    migration files that contradict each other or what was applied
├── StoreFolderBusy         no    another process uses the folder of the local server
├── ServerMissing           no    neither a ClickHouse binary nor the wheel is installed
└── ServerFailed            no    the local server did not start, or ended by itself
"""

from libs.errors import AlphaStocksError


class StoreError(AlphaStocksError):
    """Root of the errors of this package."""


class StoreUnavailable(StoreError):
    """The database does not answer; the last statement may or may not have taken effect."""

    is_retriable = True


class StoreRejected(StoreError):
    """The database refuses the statement; a retry cannot help."""


class ColumnsRejected(StoreRejected):
    """Columns of unequal length, of unknown name, or with values that do not fit the table."""


class MigrationRefused(StoreError):
    """Migration files with a gap or a repeated number, or changed after they were applied."""


class StoreFolderBusy(StoreError):
    """The local server's folder is in use; the message names the folder and the process."""


class ServerMissing(StoreError):
    """There is no ClickHouse on this machine; the message says how to get it."""


class ServerFailed(StoreError):
    """The local server did not start or ended by itself; the message names its log."""
