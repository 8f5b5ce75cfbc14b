"""`alphastocks tail` and `alphastocks dlq`: the messages of a topic, and the dead letters."""

import asyncio
import os
import re
import sys
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from contextlib import AbstractAsyncContextManager, contextmanager
from typing import Annotated

import typer
from rich.table import Table

from libs.events.bus import Message, TopicPartition, started_bus
from libs.events.kafka.bus import KafkaBus
from libs.events.topics import TOPICS, dead_letter_topic, topic_named
from libs.runtime.logs import configure_logs, logger_of
from libs.runtime.outage import outages_told
from libs.runtime.past import past_events
from libs.runtime.settings import SettingsError
from libs.runtime.shown import on_one_line, shown
from services.local import screen
from services.local.commands.dead_letters import Letter, letters_of, lines_of, retry_records
from services.local.commands.event_rows import Row, Symbols, json_of, line_of, rows_of, symbols_of
from services.local.commands.options import Config
from services.local.commands.row_filter import Condition, conditions_of, matches
from services.local.commands.running_kafka import Running, cluster_settings
from services.local.commands.topics import kafka_of, kafka_outage
from services.local.settings import LocalSettings

LOOK_BACK = 500
"""How many past messages of each partition are searched for rows that match a filter."""
_LETTERS = ("topic", "partition/offset", "time", "service", "origin", "state", "reason")
dlq_app = typer.Typer(no_args_is_help=True)
Topic = Annotated[str, typer.Argument(metavar="TOPIC", help="A topic of `alphastocks topics`.")]
Place = Annotated[
    str | None, typer.Argument(metavar="PARTITION/OFFSET", help="One letter of `dlq list`.")
]


def tail(
    topic: Topic,
    last: Annotated[int, typer.Option("-n", "--last", min=0, help="Number of past rows.")] = 10,
    follow: Annotated[bool, typer.Option(help="Show new messages as they come.")] = True,
    filter_: Annotated[
        str, typer.Option("--filter", help="Only matching rows: symbol=SBIN,last_price>800")
    ] = "",
    as_json: Annotated[bool, typer.Option("--json", help="One JSON object a line.")] = False,
    config: Config = None,
    var: Running = None,
) -> None:
    """Show the last rows of a Kafka topic, and follow it; each tick or candle is a row.

    A filter compares fields by = != > >= < <=; with several conditions, all must hold.
    It asks the Kafka of the settings, or that of a running `up --kafka`.

    Example: `alphastocks tail candles --filter symbol=RELIANCE,interval=5m`
    """
    settings, conditions = cluster_settings(config, var), conditions_of(filter_)
    topic_named(topic.removesuffix(".dlq"))
    configure_logs("error", settings.runtime.log_format)
    show = json_of if as_json else line_of

    async def run() -> None:
        async with _bus(settings) as bus:
            symbols = await _symbols(bus) if topic == "ticks" else {}
            starts = await bus.ends([topic])
            for row in await _past_rows(bus, starts, last, symbols, conditions):
                _write_row(show(row))
            if follow:
                async with outages_told(bus.ping, kafka_outage(screen.notify)):
                    async for message in bus.follow(starts):
                        for row in rows_of(message, symbols):
                            if matches(row, conditions):
                                _write_row(show(row))

    with _quiet_end():
        asyncio.run(run())


@dlq_app.callback()
def dlq() -> None:
    """List, show and retry dead letters: messages that a service could not handle.

    Example: `alphastocks dlq list`
    """


@dlq_app.command("list")
def list_letters(
    topic: Annotated[str | None, typer.Argument(metavar="TOPIC", help="Only this topic.")] = None,
    every: Annotated[bool, typer.Option("--all", help="Also those that were retried.")] = False,
    config: Config = None,
    var: Running = None,
) -> None:
    """List dead letters with their origin and the reason.

    Example: `alphastocks dlq list orders`
    """
    settings, topics = cluster_settings(config, var), _topics(topic)
    configure_logs("error", settings.runtime.log_format)
    letters = [
        one for one in asyncio.run(_letters(settings, topics)) if every or not one.is_retried
    ]
    if not letters:
        screen.console.print("No dead letters are waiting.")
        return
    screen.console.print(_table(letters))
    screen.console.print("Next: alphastocks dlq show TOPIC PARTITION/OFFSET")


@dlq_app.command()
def show(
    topic: Topic,
    place: Annotated[str, typer.Argument(metavar="PARTITION/OFFSET", help="As in `dlq list`.")],
    config: Config = None,
    var: Running = None,
) -> None:
    """Show a dead letter: headers, reason and bytes.

    Example: `alphastocks dlq show orders 2/17`
    """
    settings = cluster_settings(config, var)
    configure_logs("error", settings.runtime.log_format)
    _check_place(place)
    letters = asyncio.run(_letters(settings, [topic_named(topic).name]))
    for line in lines_of(_chosen(letters, place)[0]):
        _write(line)


@dlq_app.command()
def retry(
    topic: Topic,
    place: Place = None,
    every: Annotated[bool, typer.Option("--all", help="All that were not retried yet.")] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    config: Config = None,
    var: Running = None,
) -> None:
    """Publish dead letters again, unchanged, on their original topic.

    All readers of the topic receive them again and ignore those that they have handled already. A
    letter that fails again becomes a dead letter again.

    Example: `alphastocks dlq retry orders 2/17`
    """
    settings = cluster_settings(config, var)
    configure_logs("error", settings.runtime.log_format)
    if (place is None) != every:
        raise SettingsError("dlq retry: name one letter as PARTITION/OFFSET, or pass --all")
    if place is not None:
        _check_place(place)
    letters = asyncio.run(_letters(settings, [topic_named(topic).name]))
    chosen = _chosen(letters, place) if place else [one for one in letters if not one.is_retried]
    if not chosen:
        screen.console.print("No dead letters are waiting.")
        return
    screen.console.print(_table(chosen))
    if not (yes or _agreed(f"Publish {len(chosen)} again on {topic}, to all its readers?")):
        screen.console.print("Nothing was published.")
        return
    asyncio.run(_retry(settings, chosen))
    screen.console.print(f"Published again: {len(chosen)}.")


async def _past_rows(
    bus: KafkaBus,
    ends: dict[TopicPartition, int],
    last: int,
    symbols: Symbols,
    conditions: Sequence[Condition],
) -> Iterable[Row]:
    """Return the last rows before the ends, ordered by time."""
    back = max(last, LOOK_BACK) if conditions else last
    messages: list[Message] = []
    for place, end in ends.items():
        span = bus.read_span(place, max(0, end - back), end)
        messages += [message async for message in span]
    messages.sort(key=lambda message: (message.timestamp_ms, message.partition, message.offset))
    rows = (row for message in messages for row in rows_of(message, symbols))
    return deque((row for row in rows if matches(row, conditions)), maxlen=last)


async def _symbols(bus: KafkaBus) -> Symbols:
    events = past_events(bus, ["instruments"], logger_of("tail"))
    return symbols_of([event async for event in events])


async def _letters(settings: LocalSettings, topics: Sequence[str]) -> list[Letter]:
    found: list[Letter] = []
    async with _bus(settings) as bus:
        for topic in topics:
            read = bus.read([dead_letter_topic(topic)])
            found += letters_of(topic, [message async for message in read])
    return found


async def _retry(settings: LocalSettings, letters: Iterable[Letter]) -> None:
    async with _bus(settings) as bus:
        for letter in letters:
            again, marker = retry_records(letter)
            for record in (again, marker):
                await bus.publish(record)
                await bus.flush()


def _topics(topic: str | None) -> list[str]:
    return list(TOPICS) if topic is None else [topic_named(topic).name]


def _check_place(place: str) -> None:
    if not re.fullmatch(r"\d+/\d+", place):
        raise SettingsError(f"PARTITION/OFFSET: {place!r} is not a place such as 2/17")


def _chosen(letters: Iterable[Letter], place: str) -> list[Letter]:
    found = [letter for letter in letters if letter.place == place]
    if not found:
        raise SettingsError(f"dlq: no letter is at {place!r}; see `alphastocks dlq list --all`")
    return found


def _table(letters: Iterable[Letter]) -> Table:
    table = Table(*_LETTERS)
    for letter in letters:
        (row,) = rows_of(letter.message, {})
        state = "retried" if letter.is_retried else letter.verdict
        shown = (letter.service, letter.origin, state, letter.reason)
        table.add_row(letter.topic, letter.place, str(row["time"]), *shown)
    return table


def _agreed(question: str) -> bool:
    if not sys.stdin.isatty():
        raise SettingsError("dlq retry: no terminal to ask for a confirmation; pass --yes")
    return typer.confirm(question)


def _bus(settings: LocalSettings) -> AbstractAsyncContextManager[KafkaBus]:
    return started_bus(KafkaBus(kafka_of(settings)))


def _write_row(row: str) -> None:
    _write(on_one_line(row))


def _write(text: str) -> None:
    sys.stdout.write(f"{shown(text)}\n")
    sys.stdout.flush()


@contextmanager
def _quiet_end() -> Iterator[None]:
    """End without an error when the reader of the output closes the pipe."""
    try:
        yield
    except BrokenPipeError:
        # the interpreter flushes standard output when it ends
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
