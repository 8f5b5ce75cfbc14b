"""One partition in memory: offsets stay what they are, whatever is forgotten."""

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from libs.events.embedded.partition_log import PartitionLog
from tests.unit.libs.events.embedded.logs import message


class PartitionLogRules(RuleBasedStateMachine):
    """The log against a plain dictionary of offset → text."""

    def __init__(self) -> None:
        super().__init__()
        self.log = PartitionLog()
        self.held: dict[int, str] = {}
        self.end = 0
        self.dropped = 0

    @rule(texts=st.lists(st.text(max_size=4), max_size=700))
    def append(self, texts: list[str]) -> None:
        for text in texts:
            self.log.append(message(text, self.end), sequence=2 * self.end)
            self.held[self.end] = text
            self.end += 1

    @rule(offset=st.integers(min_value=0, max_value=5000))
    def forget(self, offset: int) -> None:
        self.log.forget_before(offset)
        self.held = {at: text for at, text in self.held.items() if at >= offset}

    @rule(limit=st.integers(min_value=0, max_value=1000))
    def retain(self, limit: int) -> None:
        self.log.retain(limit)
        while len(self.held) > 1 and sum(len(t.encode()) for t in self.held.values()) > limit:
            del self.held[min(self.held)]
            self.dropped += 1

    @rule(offset=st.integers(min_value=0, max_value=5000), count=st.integers(0, 50))
    def look(self, offset: int, count: int) -> None:
        expected = [at for at in self.held if at >= offset][:count]
        assert [each.offset for each in self.log.slice(offset, count)] == expected

    @invariant()
    def holds_the_same(self) -> None:
        entries = self.log.entries()
        assert [(at, each.offset, each.value.decode()) for at, each in entries] == [
            (2 * offset, offset, text) for offset, text in self.held.items()
        ]
        assert self.log.end == self.end
        assert self.log.base == (min(self.held) if self.held else self.end)
        assert self.log.dropped == self.dropped


TestPartitionLog = PartitionLogRules.TestCase


def test_what_was_forgotten_is_not_found_by_its_offset() -> None:
    log = PartitionLog()
    for offset in range(3000):
        log.append(message(f"{offset}", offset), offset)
    log.forget_before(2500)
    assert log.at(2499) is None
    found = log.at(2500)
    assert found is not None
    assert found.value == b"2500"
