"""The root of all expected errors.

AlphaStocksError
├── CalendarError, RulebookError, DumpError    libs.market
├── EventError                                 libs.events.errors
│   ├── KafkaServerError                       libs.servers.kafka.errors
│   └── TooManyDeadLetters                     libs.runtime.dead_letters
├── BrokerError                                libs.broker.errors
├── StoreError                                 libs.store.errors
├── SettingsError                              libs.runtime.refusals
├── RecordingError, UniverseError              services.ingest
├── WrongSignal, WrongCandles                  libs.strategy
├── UnknownStrategy                            services.strategy
├── WrongUsage, NotAnswered                    services.local.command
└── ProcessFailed, BackupError                 services.local
"""

from typing import ClassVar


class AlphaStocksError(Exception):
    """An expected error; its text names the cause.

    `is_retriable`: a retry may succeed. `exit_status` of a process that this error ends: 2 where
    the user has to fix something, 1 where the service failed.
    """

    is_retriable: ClassVar[bool] = False
    exit_status: ClassVar[int] = 2

    @property
    def line(self) -> str:
        """The text as one line."""
        return " ".join(str(self).split())
