"""The root of all errors that are meant for a person.

AlphaStocksError
├── CalendarError, RulebookError, DumpError    libs.market
├── EventError                                 libs.events.errors
│   ├── KafkaServerError                       libs.servers.kafka.errors
│   └── TooManyDeadLetters                     libs.runtime.dead_letters
├── BrokerError                                libs.broker.errors
├── StoreError                                 libs.store.errors
├── SettingsError                              libs.runtime.settings
├── RecordingError, UniverseError              services.ingest
├── WrongSignal, WrongCandles                  libs.strategy
├── UnknownStrategy                            services.strategy
└── ProcessFailed                              services.local
"""

from typing import ClassVar


class AlphaStocksError(Exception):
    """What can be expected to go wrong; its text names the culprit.

    `is_retriable` says whether trying again can help. `exit_status` is what a process ends with
    that cannot go on: 2 where the user has to mend something, 1 where the service failed.
    """

    is_retriable: ClassVar[bool] = False
    exit_status: ClassVar[int] = 2

    @property
    def line(self) -> str:
        """Its text as one line."""
        return " ".join(str(self).split())
