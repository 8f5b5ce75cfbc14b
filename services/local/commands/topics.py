"""`alphastocks topics apply`: the topics of a cluster as in the table of topics."""

from collections.abc import Callable

from rich.table import Table

from libs.events.errors import TopicUnfit
from libs.events.kafka.address import KafkaAddress
from libs.events.kafka.admin import kafka_admin
from libs.events.topic_plan import Keep, Plan, WantedTopic, plan, wanted_topics
from libs.runtime.clock import ClockKind
from libs.runtime.outage import Outage
from libs.runtime.process import kafka_address
from libs.runtime.settings import SettingsError
from services.local.settings import LocalSettings


def kafka_of(settings: LocalSettings) -> KafkaAddress:
    """Return the cluster of the settings; raise SettingsError where they name none."""
    if settings.bus.kind != "kafka":
        raise SettingsError(
            "bus.kind is 'local', and no `up --kafka` runs on its usual folder: set "
            "ALPHASTOCKS_BUS__KIND=kafka and ALPHASTOCKS_BUS__BOOTSTRAP=host:port, "
            "or the same in [bus] of the settings file"
        )
    return kafka_address(settings.bus)


def kafka_outage(say: Callable[[str], None]) -> Outage:
    """Return an outage that is told to a person."""
    return Outage(
        lambda reason, seconds: say(f"waiting for Kafka for {seconds:.0f} s: {reason}"),
        lambda seconds: say(f"Kafka is back after {seconds:.0f} s"),
    )


def keep_for(clock: ClockKind) -> Keep:
    """Return how records are retained: by size with the feed's clock, which plays past days."""
    return "by_time" if clock == "wall" else "by_size"


async def topic_plan(settings: LocalSettings, address: KafkaAddress) -> Plan:
    """Return the changes that make a cluster match the table."""
    async with kafka_admin(address) as admin:
        return plan(_wanted(settings), await admin.topics())


async def apply_topics(settings: LocalSettings, address: KafkaAddress) -> Plan:
    """Make a cluster match the table and return the changes; change nothing if one is refused."""
    async with kafka_admin(address) as admin:
        found = await admin.topics()
        wanted = plan(_wanted(settings), found)
        if not wanted.refusals:
            await admin.carry_out(wanted, found)
        return wanted


async def ensure_topics(settings: LocalSettings, address: KafkaAddress) -> None:
    """Make a cluster match the table; raise TopicUnfit if that would lose records."""
    done = await apply_topics(settings, address)
    if done.refusals:
        raise TopicUnfit(f"topics at {address.bootstrap}: {'; '.join(done.refusals)}")


def table_of(planned: Plan) -> Table:
    """Return the changes as a table."""
    table = Table("", "topic", "what", "found", "wanted", title_justify="left")
    for topic in planned.creations:
        table.add_row("create", topic.name, f"{topic.partitions} partitions", "", "")
    for change in planned.changes:
        table.add_row("change", change.topic, change.what, change.found, change.wanted)
    return table


def _wanted(settings: LocalSettings) -> list[WantedTopic]:
    bus = settings.bus
    return wanted_topics(keep_for(settings.runtime.clock), bus.replication, bus.max_bytes)
