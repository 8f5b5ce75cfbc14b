"""The topics and groups of a cluster, and changes to its topics."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Iterable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from typing import Any, NamedTuple, TypeVar

from aiokafka import AIOKafkaConsumer
from aiokafka import TopicPartition as KafkaPartition
from aiokafka.admin import AIOKafkaAdminClient, NewPartitions, NewTopic
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType
from aiokafka.errors import for_code

from libs.events.bus import TopicPartition
from libs.events.errors import BusFailed, BusUnavailable, EventError
from libs.events.kafka.address import KafkaAddress
from libs.events.kafka.consumer import raw_consumer
from libs.events.kafka.messages import kafka_partition, our_errors, our_partition, within
from libs.events.kafka.publisher import LEASE, REPLY_TIMEOUT_SECONDS
from libs.events.kafka.reasons import why_not
from libs.events.topic_plan import FoundTopic, Plan, WantedTopic, plan

T = TypeVar("T")
_SET_FOR_THE_TOPIC = 1  # the protocol's DYNAMIC_TOPIC_CONFIG
_POLL_SECONDS = 0.05


@dataclass(frozen=True, slots=True)
class GroupStanding:
    """The next offset of a group in each partition, and the partition's end."""

    group: str
    committed: Mapping[TopicPartition, int]
    ends: Mapping[TopicPartition, int]

    @property
    def is_lease(self) -> bool:
        """Whether its offsets are the counter of a fence, and no places in a topic."""
        return self.group.endswith(LEASE)

    def lag(self, topic: str) -> int:
        """Return how many records of a topic are not committed yet."""
        partitions = [p for p in self.committed if p.topic == topic]
        return sum(max(0, self.ends[p] - self.committed[p]) for p in partitions)


class _Config(NamedTuple):
    key: str
    value: str
    is_own: bool


class KafkaAdmin:
    """An admin connection; made by `kafka_admin`."""

    def __init__(
        self, address: KafkaAddress, client: AIOKafkaAdminClient, reader: AIOKafkaConsumer
    ) -> None:
        self._address = address
        self._client = client
        self._reader = reader

    async def topics(self) -> dict[str, FoundTopic]:
        """Return the topics with the prefix, by name without it."""
        described = await self._within(self._client.describe_topics(), "list topics")
        ours = self._ours_only(described)
        configs = await self._configs([topic["topic"] for topic in ours])
        filled = await self._filled(ours)
        return {
            self._address.unnamed(topic["topic"]): FoundTopic(
                name=self._address.unnamed(topic["topic"]),
                partitions=len(topic["partitions"]),
                replication=min(len(part["replicas"]) for part in topic["partitions"]),
                configs={entry.key: entry.value for entry in configs[topic["topic"]]},
                own={e.key: e.value for e in configs[topic["topic"]] if e.is_own},
                has_records=topic["topic"] in filled,
            )
            for topic in ours
        }

    async def written(self) -> set[str]:
        """Return the topics with the prefix that have ever held records, expired ones too."""
        described = await self._within(self._client.describe_topics(), "list topics")
        partitions = _partitions_of(self._ours_only(described))
        ends = await self._within(self._reader.end_offsets(partitions), "ask for the end")
        return {self._address.unnamed(p.topic) for p in partitions if ends[p]}

    async def carry_out(self, agreed: Plan, found: Mapping[str, FoundTopic]) -> None:
        """Carry out a plan; return when the cluster shows its changes."""
        if agreed.creations:
            await self._create(agreed.creations)
        grown = {c.topic: int(c.wanted) for c in agreed.changes if c.what == "partitions"}
        if grown:
            more = {self._address.named(name): NewPartitions(n) for name, n in grown.items()}
            await self._within(self._client.create_partitions(more), "add partitions")
        changed = {c.topic for c in agreed.changes if c.what != "partitions"}
        if changed:
            configs = {n: {**found[n].own, **agreed.wanted[n].configs} for n in sorted(changed)}
            await self._configure(configs)
        await self._within(self._shown(agreed), "wait for the changes")

    async def standings(self) -> list[GroupStanding]:
        """Return the offsets of each group with the prefix, by name without it."""
        listed = await self._within(self._client.list_consumer_groups(), "list groups")
        groups = sorted(name for name, *_ in listed if name.startswith(self._address.prefix))
        return [await self._standing(group) for group in groups]

    async def set_offsets(self, group: str, offsets: Mapping[TopicPartition, int]) -> None:
        """Commit offsets for a group that has no members."""
        member = raw_consumer(replace(self._address, instance=""), group=self._address.named(group))
        theirs = {kafka_partition(self._address, p): at for p, at in offsets.items()}
        try:
            await self._within(member.start(), "connect")
            member.assign(list(theirs))
            await self._within(member.commit(theirs), f"set the offsets of {group}")
        finally:
            await member.stop()

    def _ours_only(self, topics: Iterable[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
        ours = [one for one in topics if one["topic"].startswith(self._address.prefix)]
        return [one for one in ours if not one["topic"].startswith("__")]

    async def _standing(self, group: str) -> GroupStanding:
        asking = self._client.list_consumer_group_offsets(group)
        offsets = await self._within(asking, f"ask where {group} is")
        partitions = [p for p, at in offsets.items() if at.offset >= 0]
        ends = await self._within(self._reader.end_offsets(partitions), "ask for the end")
        return GroupStanding(
            group=self._address.unnamed(group),
            committed={self._ours(p): offsets[p].offset for p in partitions},
            ends={self._ours(p): ends[p] for p in partitions},
        )

    async def _configs(self, names: list[str]) -> dict[str, list[_Config]]:
        if not names:
            return {}
        asked = [ConfigResource(ConfigResourceType.TOPIC, name) for name in names]
        answers = await self._within(self._client.describe_configs(asked), "ask for settings")
        resources = [one for answer in answers for one in answer.to_object()["resources"]]
        return {
            resource["resource_name"]: [
                _Config(
                    key=entry["config_names"],
                    value=entry["config_value"],
                    is_own=entry["config_source"] == _SET_FOR_THE_TOPIC,
                )
                for entry in resource["config_entries"]
            ]
            for resource in resources
        }

    async def _filled(self, topics: Iterable[Mapping[str, Any]]) -> set[str]:
        """Return the topics that have records."""
        partitions = _partitions_of(topics)
        asking = asyncio.gather(
            self._reader.beginning_offsets(partitions), self._reader.end_offsets(partitions)
        )
        first, ends = await self._within(asking, "ask for offsets")
        return {p.topic for p in partitions if ends[p] > first[p]}

    async def _create(self, topics: Iterable[WantedTopic]) -> None:
        asked = [
            NewTopic(
                self._address.named(topic.name),
                topic.partitions,
                topic.replication,
                topic_configs=dict(topic.configs),
            )
            for topic in topics
        ]
        answer = await self._within(self._client.create_topics(asked), "create topics")
        for topic in answer.to_object()["topic_errors"]:
            self._check(topic["error_code"], topic["topic"], topic.get("error_message"))
        await self._within(self._led([topic.name for topic in asked]), "wait for new topics")

    async def _led(self, names: list[str]) -> None:
        """Return when each partition has a leader, so that it accepts records."""
        while True:
            described = await self._client.describe_topics(names)
            parts = [part for topic in described for part in topic["partitions"]]
            if parts and all(part["leader"] >= 0 for part in parts):
                return
            await asyncio.sleep(_POLL_SECONDS)

    async def _shown(self, carried_out: Plan) -> None:
        """Return when the brokers show the changes that the controller accepted."""
        wanted = [carried_out.wanted[change.topic] for change in carried_out.changes]
        while True:
            if not plan(wanted, await self.topics()).changes:
                return
            await asyncio.sleep(_POLL_SECONDS)

    async def _configure(self, configs: Mapping[str, Mapping[str, str]]) -> None:
        """Set all configs of topics; a config that is left out returns to the cluster's default."""
        asked = [
            ConfigResource(ConfigResourceType.TOPIC, self._address.named(name), dict(own))
            for name, own in configs.items()
        ]
        answers = await self._within(self._client.alter_configs(asked), "change settings")
        for answer in answers:
            for resource in answer.to_object()["resources"]:
                name = resource["resource_name"]
                self._check(resource["error_code"], name, resource["error_message"])

    def _check(self, code: int, name: str, message: str | None) -> None:
        if code:
            reason = message or for_code(code).__name__
            raise BusFailed(f"{name}: Kafka at {self._address.bootstrap}: {reason}")

    def _ours(self, partition: KafkaPartition) -> TopicPartition:
        return our_partition(self._address, partition)

    async def _within(self, work: Awaitable[T], doing: str) -> T:
        return await within(REPLY_TIMEOUT_SECONDS, work, self._address, doing)


def _partitions_of(topics: Iterable[Mapping[str, Any]]) -> list[KafkaPartition]:
    return [
        KafkaPartition(topic["topic"], part["partition"])
        for topic in topics
        for part in topic["partitions"]
    ]


@asynccontextmanager
async def kafka_admin(address: KafkaAddress) -> AsyncIterator[KafkaAdmin]:
    """Yield a connection; raise BusUnavailable or BusRefused, in one line with the reason."""
    client = AIOKafkaAdminClient(**address.options(), retry_backoff_ms=100)
    reader = raw_consumer(address)
    try:
        try:
            with our_errors(address, "connect"):
                await asyncio.wait_for(client.start(), REPLY_TIMEOUT_SECONDS)
                await asyncio.wait_for(reader.start(), REPLY_TIMEOUT_SECONDS)
        except TimeoutError:
            raise BusUnavailable(f"Kafka at {address.bootstrap} does not answer") from None
        except EventError as error:
            raise await why_not(address) from error
        yield KafkaAdmin(address, client, reader)
    finally:
        await reader.stop()
        await client.close()
