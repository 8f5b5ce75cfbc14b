"""Kafka for the bus contract: topics of its own for each test, on one server."""

import asyncio
from collections.abc import Mapping
from dataclasses import replace
from uuid import uuid4

from aiokafka.admin import AIOKafkaAdminClient

from libs.events.bus import Bus
from libs.events.kafka.address import KafkaAddress
from libs.events.kafka.admin import kafka_admin
from libs.events.kafka.bus import KafkaBus
from libs.events.topic_plan import WantedTopic, plan
from libs.events.topics import dead_letter_topic
from tests.contracts.buses import PARTITIONS


class KafkaBuses:
    """The bus on Kafka, as a member of shared groups."""

    is_durable = True
    fence: str | None = None

    def __init__(self, address: KafkaAddress) -> None:
        self.address = replace(address, prefix=f"{uuid4().hex[:8]}.", session_timeout_ms=2000)
        asyncio.run(create_topics(self.address, PARTITIONS))

    def __call__(self) -> Bus:
        return KafkaBus(self.address, self.fence, PARTITIONS)

    def drop(self) -> None:
        """Delete the topics: a server that keeps thousands of them is slow."""
        asyncio.run(drop_topics(self.address))


class FencedKafkaBuses(KafkaBuses):
    """The bus on Kafka of a process that is the only one of its kind."""

    fence = "contract"


async def create_topics(address: KafkaAddress, partitions: Mapping[str, int]) -> None:
    """Create topics and those of their dead letters, kept whatever the age of their records."""
    counts = {**partitions, **{dead_letter_topic(t): n for t, n in partitions.items()}}
    configs = {"retention.ms": "-1", "message.timestamp.after.max.ms": str(2**63 - 1)}
    wanted = [WantedTopic(name, count, 1, configs) for name, count in counts.items()]
    async with kafka_admin(address) as admin:
        await admin.carry_out(plan(wanted, {}), {})


async def drop_topics(address: KafkaAddress) -> None:
    """Delete the topics of a prefix."""
    admin = AIOKafkaAdminClient(**address.options())
    await admin.start()
    names = [name for name in await admin.list_topics() if name.startswith(address.prefix)]
    await admin.delete_topics(names)
    await admin.close()
