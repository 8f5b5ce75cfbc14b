"""`alphastocks topics` and `alphastocks lag`: a cluster's topics, and the lag of their readers."""

import asyncio
import sys
from typing import Annotated

import typer
from rich.live import Live

from libs.events.errors import BusUnavailable
from libs.events.kafka.address import KafkaAddress
from libs.events.kafka.admin import kafka_admin
from libs.events.topic_plan import Plan
from libs.runtime.logs import configure_logs
from libs.runtime.settings import SettingsError
from services.local import screen
from services.local.commands.lag import lag_table
from services.local.commands.options import Config
from services.local.commands.running_kafka import Running, cluster_settings
from services.local.commands.topics import (
    apply_topics,
    kafka_of,
    kafka_outage,
    table_of,
    topic_plan,
)

WATCH_SECONDS = 1.0
topics_app = typer.Typer()


@topics_app.callback(invoke_without_command=True)
def topics(context: typer.Context) -> None:
    """Show the topics with their events, writers and readers.

    Example: `alphastocks topics`, or `alphastocks topics apply --dry-run`
    """
    if context.invoked_subcommand is None:
        screen.show_topics()


@topics_app.command()
def apply(
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Show the differences and change nothing.")
    ] = False,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask before the change.")] = False,
    config: Config = None,
    var: Running = None,
) -> None:
    """Create and change the topics of a Kafka cluster to match the table; show the changes first.

    If a change would lose records, it is named, nothing is changed, and the exit status is 1.
    Topics that are not in the table are left alone.

    Example: `ALPHASTOCKS_BUS__KIND=kafka alphastocks topics apply`
    """
    settings = cluster_settings(config, var)
    configure_logs("error", settings.runtime.log_format)
    address = kafka_of(settings)
    planned = asyncio.run(topic_plan(settings, address))
    _show(planned, address)
    if planned.refusals:
        raise typer.Exit(1)
    if planned.is_empty or dry_run:
        return
    if not (yes or _agreed()):
        screen.console.print("Nothing was changed.")
        return
    asyncio.run(apply_topics(settings, address))
    screen.console.print("Done: the services may be started.")


def lag(
    watch: Annotated[bool, typer.Option("--watch", help="Refresh it each second.")] = False,
    config: Config = None,
    var: Running = None,
) -> None:
    """Show how many messages each consumer group is behind.

    Asks the Kafka of the settings, or that of a running `up --kafka`.

    The marker at the end of a transaction counts as one: an idle topic of executor or position
    may show a lag of 1.

    Example: `alphastocks lag --watch`
    """
    settings = cluster_settings(config, var)
    configure_logs("error", settings.runtime.log_format)
    address = kafka_of(settings)
    asyncio.run(_watch(address) if watch else _show_lag(address))


async def _show_lag(address: KafkaAddress) -> None:
    async with kafka_admin(address) as admin:
        screen.console.print(lag_table(await admin.standings()))


async def _watch(address: KafkaAddress) -> None:
    """Show the lag each second; an outage after the first time is waited for."""
    outage, shown = kafka_outage(screen.notify), 0
    with Live(console=screen.console, auto_refresh=False) as live:
        while True:
            try:
                async with kafka_admin(address) as admin:
                    while True:
                        live.update(lag_table(await admin.standings()), refresh=True)
                        outage.back()
                        shown += 1
                        await asyncio.sleep(WATCH_SECONDS)
            except BusUnavailable as error:
                if not shown:
                    raise
                outage.away(str(error))
                await asyncio.sleep(WATCH_SECONDS)


def _show(planned: Plan, address: KafkaAddress) -> None:
    if planned.is_empty:
        screen.console.print(f"The topics at {address.bootstrap} match the table.")
        return
    if planned.creations or planned.changes:
        screen.console.print(table_of(planned))
    for reason in planned.refusals:
        screen.errors.print(f"refused: {reason}", soft_wrap=True)
    if planned.refusals:
        screen.errors.print("Nothing was changed.")


def _agreed() -> bool:
    if not sys.stdin.isatty():
        raise SettingsError("topics apply: no terminal to ask for a confirmation; pass --yes")
    return typer.confirm("Apply these changes?")
