"""The journal: what it holds after a restart, and which damage it repairs or refuses."""

import asyncio
import errno
import resource
import struct
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from libs.events.bus import Message, Record, TopicPartition
from libs.events.embedded.bus import LocalBus
from libs.events.embedded.journal import Journal
from libs.events.errors import JournalBusy, JournalDamaged
from tests.unit.libs.events.embedded.logs import held, record, texts

ORDERS = TopicPartition("orders", 0)


@contextmanager
def opened(folder: Path) -> Iterator[Journal]:
    journal = Journal(folder)
    try:
        journal.open()
        yield journal
    finally:
        journal.close()


def write(folder: Path, *words: str) -> Path:
    """Journal records, and return the file that they are in."""
    with opened(folder) as journal:
        for word in words:
            journal.append(ORDERS, record(word))
    return folder / "orders-0.log"


def messages_in(folder: Path) -> list[Message]:
    with opened(folder) as journal:
        return list(journal.messages())


def test_records_come_back_as_they_were(tmp_path: Path) -> None:
    sent = Record("orders", "M&M — ₹", bytes(range(256)), -5, 0, (("a", b"\x00\xff"), ("", b"")))
    with opened(tmp_path) as journal:
        journal.append(ORDERS, record("before"))
        journal.append(ORDERS, sent)
    _, got = messages_in(tmp_path)
    assert got == Message("orders", 0, 1, sent.key, sent.value, -5, sent.headers)


def test_each_partition_has_a_file_and_keeps_its_order(tmp_path: Path) -> None:
    with opened(tmp_path) as journal:
        for number in range(20):
            topic_partition = TopicPartition("signal_updates", number % 2)
            journal.append(topic_partition, record(f"{number}", "signal_updates", number % 2))
    messages = messages_in(tmp_path)
    for partition in (0, 1):
        mine = [each for each in messages if each.partition == partition]
        assert texts(mine) == [f"{n}" for n in range(20) if n % 2 == partition]
        assert [each.offset for each in mine] == list(range(10))
        assert {each.topic for each in mine} == {"signal_updates"}


def test_a_record_is_on_disk_before_the_journal_is_closed(tmp_path: Path) -> None:
    with opened(tmp_path) as journal:
        journal.append(ORDERS, record("now"))
        assert b"now" in (tmp_path / "orders-0.log").read_bytes()


@given(data=st.data())
def test_a_last_record_that_was_cut_off_is_removed(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    folder = tmp_path_factory.mktemp("journal")
    path = write(folder, "first", "second")
    whole = path.stat().st_size
    last = whole // 2 + 1  # two records of nearly the same length
    kept = data.draw(st.integers(min_value=last, max_value=whole - 1))
    with path.open("r+b") as file:
        file.truncate(kept)
    assert texts(messages_in(folder)) == ["first"]
    write(folder, "third")
    assert texts(messages_in(folder)) == ["first", "third"]


def test_the_zeros_that_a_dead_machine_left_are_removed(tmp_path: Path) -> None:
    path = write(tmp_path, "first")
    path.write_bytes(path.read_bytes() + bytes(4096))
    assert texts(messages_in(tmp_path)) == ["first"]
    write(tmp_path, "second")
    assert texts(messages_in(tmp_path)) == ["first", "second"]


@given(data=st.data())
def test_any_damaged_byte_is_refused_with_the_place(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    folder = tmp_path_factory.mktemp("journal")
    path = write(folder, "first", "second", "third")
    content = bytearray(path.read_bytes())
    at = data.draw(st.integers(min_value=0, max_value=len(content) - 1))
    content[at] ^= 1 << data.draw(st.integers(min_value=0, max_value=7))
    path.write_bytes(content)
    with pytest.raises(JournalDamaged, match=r"orders-0\.log: record [012] at byte \d+") as caught:
        messages_in(folder)
    assert len(str(caught.value).splitlines()) == 1
    assert path.read_bytes() == content


def test_a_damaged_length_does_not_pass_for_a_cut(tmp_path: Path) -> None:
    path = write(tmp_path, "first", "second")
    content = bytearray(path.read_bytes())
    struct.pack_into("<I", content, 0, 1_000_000)
    path.write_bytes(content)
    with pytest.raises(JournalDamaged, match="record 0 at byte 0 has a damaged header"):
        messages_in(tmp_path)
    assert path.read_bytes() == content


def test_committed_offsets_come_back_the_last_of_each(tmp_path: Path) -> None:
    one = TopicPartition("orders", 1)
    with opened(tmp_path) as journal:
        journal.commit("a", {ORDERS: 1, one: 7})
        journal.commit("b", {ORDERS: 3})
        journal.commit("a", {ORDERS: 2})
        journal.commit("a", {})
    with opened(tmp_path) as journal:
        assert journal.offsets() == {("a", ORDERS): 2, ("a", one): 7, ("b", ORDERS): 3}


def test_a_commit_that_was_cut_off_does_not_spoil_the_next(tmp_path: Path) -> None:
    with opened(tmp_path) as journal:
        journal.commit("a", {ORDERS: 1})
    path = tmp_path / "offsets.jsonl"
    path.write_bytes(path.read_bytes() + b'["a", "ord')
    with opened(tmp_path) as journal:
        assert journal.offsets() == {("a", ORDERS): 1}
        journal.commit("a", {ORDERS: 2})
    with opened(tmp_path) as journal:
        assert journal.offsets() == {("a", ORDERS): 2}


@pytest.mark.parametrize("line", ["no json", "5", '["a", "orders"]'])
def test_a_damaged_commit_is_refused_with_its_line(tmp_path: Path, line: str) -> None:
    with opened(tmp_path) as journal:
        journal.commit("a", {ORDERS: 1})
    path = tmp_path / "offsets.jsonl"
    path.write_text(f'{path.read_text()}{line}\n["a", "orders", 0, 2]\n')
    with (
        opened(tmp_path) as journal,
        pytest.raises(JournalDamaged, match=r"offsets\.jsonl: line 2 is no committed offset"),
    ):
        journal.offsets()


def test_a_full_disk_leaves_no_half_record(tmp_path: Path) -> None:
    path = write(tmp_path, "first")
    with opened(tmp_path) as journal:
        with (
            files_up_to(path.stat().st_size + 10),
            pytest.raises(OSError, match="no room for the journal") as caught,
        ):
            journal.append(ORDERS, record("too much"))
        assert caught.value.errno == errno.ENOSPC
        journal.append(ORDERS, record("after"))
    assert texts(messages_in(tmp_path)) == ["first", "after"]


@contextmanager
def files_up_to(size: int) -> Iterator[None]:
    """Let no file grow beyond a size, as a full disk does."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


def test_a_second_user_of_the_folder_is_refused_until_the_first_is_gone(tmp_path: Path) -> None:
    with opened(tmp_path), pytest.raises(JournalBusy, match="is in use by another alphastocks"):
        Journal(tmp_path).open()
    with opened(tmp_path) as journal:
        assert journal.offsets() == {}


def test_a_second_process_is_refused(tmp_path: Path) -> None:
    program = (
        "import sys; from pathlib import Path; from libs.events.embedded.journal import Journal\n"
        "try: Journal(Path(sys.argv[1])).open()\n"
        "except Exception as error: sys.stdout.write(type(error).__name__)"
    )
    words = [sys.executable, "-c", program, str(tmp_path)]
    with opened(tmp_path):
        other = subprocess.run(words, capture_output=True, text=True, check=True)
    assert other.stdout == "JournalBusy"


def bus_on(folder: Path) -> LocalBus:
    return LocalBus(partitions={"orders": 1, "ticks": 1}, journal=Journal(folder))


def test_ticks_are_not_journaled(tmp_path: Path) -> None:
    async def story() -> list[list[str]]:
        bus = bus_on(tmp_path)
        await bus.start()
        await bus.publish(record("tick", "ticks"))
        await bus.publish(record("order"))
        await bus.publish(record("bad tick", "ticks.dlq"))
        await bus.stop()
        again = bus_on(tmp_path)
        await again.start()
        seen = [await held(again, topic) for topic in ("ticks", "orders", "ticks.dlq")]
        await again.stop()
        return seen

    assert asyncio.run(story()) == [[], ["order"], ["bad tick"]]


def test_the_same_bus_may_be_started_again(tmp_path: Path) -> None:
    async def story() -> list[str]:
        bus = bus_on(tmp_path)
        for word in ("one", "two"):
            await bus.start()
            await bus.publish(record(word))
            await bus.stop()
        return await held(bus)

    assert asyncio.run(story()) == ["one", "two"]


def test_a_group_is_not_lost_beyond_the_records_that_a_dead_machine_kept(tmp_path: Path) -> None:
    write(tmp_path, "0", "1")
    with opened(tmp_path) as journal:
        journal.commit("readers", {ORDERS: 5})

    async def story() -> list[str]:
        bus = bus_on(tmp_path)
        await bus.start()
        consumer = await bus.subscribe("readers", ["orders"])
        await bus.publish(record("2"))
        got = await consumer.fetch(10, 1.0)
        await bus.stop()
        return texts(got)

    assert asyncio.run(story()) == ["2"]


def test_a_bus_on_a_damaged_journal_does_not_start(tmp_path: Path) -> None:
    path = write(tmp_path, "first")
    path.write_bytes(path.read_bytes()[:-1] + b"?")

    async def story() -> None:
        bus = bus_on(tmp_path)
        try:
            with pytest.raises(JournalDamaged, match="record 0 at byte 0 fails its checksum"):
                await bus.start()
        finally:
            await bus.stop()

    asyncio.run(story())
