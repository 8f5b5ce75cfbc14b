"""Reads our books from the bus, if it can be read soon: Kafka, or the journal of an `up`."""

import asyncio
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

from libs.errors import AlphaStocksError
from libs.events.bus import started_bus
from libs.events.codec import event_of
from libs.events.embedded.journal import Journal
from libs.events.errors import PoisonMessage
from libs.events.event import Event
from libs.events.orders import Mode
from libs.runtime.logs import logger_of
from libs.runtime.past import past_events
from libs.runtime.process import kafka_address
from libs.runtime.settings import BusSettings
from services.local.flatten.books import Booked, books_of

SECONDS = 5.0
"""How long a Kafka may take to answer and to be read."""
_ORDERS = "orders"


class BooksUnknown(AlphaStocksError):
    """Our books cannot be read now; the text says why."""


async def books_of_bus(bus: BusSettings, var: Path, mode: Mode) -> tuple[Booked, ...]:
    """Return the fills of our books; raise BooksUnknown where nobody can be asked in time."""
    if bus.kind == "kafka":
        return books_of(await _of_kafka(bus), mode)
    return books_of(_of_journal(var / "journal"), mode)


async def _of_kafka(bus: BusSettings) -> list[Event]:
    from libs.events.kafka.bus import KafkaBus  # noqa: PLC0415  only where it is asked

    try:
        async with asyncio.timeout(SECONDS), started_bus(KafkaBus(kafka_address(bus))) as kafka:
            return [one async for one in past_events(kafka, [_ORDERS], logger_of("flatten"))]
    except TimeoutError:
        raise BooksUnknown(f"Kafka has not answered within {SECONDS:.0f} s") from None
    except AlphaStocksError as error:
        raise BooksUnknown(error.line) from None


def _of_journal(folder: Path) -> list[Event]:
    """Return the events of a journal that nobody uses: reading one repairs its end."""
    if not folder.is_dir():
        raise BooksUnknown(f"there is no journal at {folder}, and the settings name no Kafka")
    journal = Journal(folder)
    try:
        journal.open()
        with closing(journal):
            return list(_events(journal))
    except (AlphaStocksError, OSError) as error:
        raise BooksUnknown(str(error)) from None


def _events(journal: Journal) -> Iterator[Event]:
    for message in journal.messages():
        if message.topic == _ORDERS:
            try:
                yield event_of(message)
            except PoisonMessage:
                continue
