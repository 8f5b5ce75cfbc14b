"""Snapshot after snapshot: what two in a row agree on is found."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from libs.broker.port import Margin
from services.executor.domain.reconciliation.comparison import (
    Comparison,
    compare,
    foreign_keys,
    foreign_of,
)
from services.executor.domain.reconciliation.findings import (
    Agree,
    Correct,
    Difference,
    Finding,
    Foreign,
    FundsShort,
    Quarantine,
    Unconfirmed,
)
from services.executor.domain.reconciliation.rows import completed
from services.executor.domain.reconciliation.snapshot import (
    AccountSnapshot,
    ContractKey,
    OurContract,
    UnreadableRow,
)

CONFIRM_MS = 1000
"""Two snapshots that are closer together can have the same hole between their lists."""
GONE_READS = 5
"""Snapshots in a row after which units that no trade explains are booked as gone."""


@dataclass(frozen=True, slots=True)
class _Seen:
    """In how many snapshots a difference was counted, when last, and from what."""

    reads: int
    counted_ms: int
    evidence: tuple[int, ...]

    @property
    def is_certain(self) -> bool:
        return self.reads > 1

    def again(self, difference: Difference, evidence: tuple[int, ...], now_ms: int) -> "_Seen":
        """Return it after another snapshot; a quarantine holds while its cause moves on."""
        if now_ms - self.counted_ms < CONFIRM_MS:
            return self
        stays = isinstance(difference, Quarantine) and self.is_certain
        if evidence != self.evidence and not stays:
            return _Seen(1, now_ms, evidence)
        return _Seen(self.reads + 1, now_ms, evidence)


@dataclass(slots=True)
class Reconciler:
    """The latest comparison, and what waits for the next snapshot to confirm it.

    `last_clean_ms` (epoch ms) is when all contracts agreed last, None before the first time.
    `found` are the latest findings, `quarantines` the reasons by underlying.
    """

    last_clean_ms: int | None = None
    at_ms: int | None = None
    found: tuple[Finding, ...] = ()
    comparisons: tuple[Comparison, ...] = ()
    margins: Mapping[str, Margin] = field(default_factory=dict)
    unreadable: tuple[UnreadableRow, ...] = ()
    _seen: dict[Difference, _Seen] = field(default_factory=dict)

    @property
    def quarantines(self) -> Mapping[str, str]:
        """Why there is no entry, by underlying."""
        return {one.underlying: one.why for one in self.found if isinstance(one, Quarantine)}

    def age_ms(self, now_ms: int) -> int | None:
        """Return for how long no snapshot was clean; None: none was yet."""
        return None if self.last_clean_ms is None else max(0, now_ms - self.last_clean_ms)

    def on_snapshot(
        self, snapshot: AccountSnapshot, ours: Sequence[OurContract], now_ms: int
    ) -> tuple[Finding, ...]:
        """Compare, and return what is certain; a difference is certain when it is seen again."""
        whole = completed(snapshot, ours)
        compared = tuple(compare(one, whole) for one in ours)
        foreign = [foreign_of(key, whole) for key in foreign_keys(whole, ours)]
        found: list[Finding] = [*_funds(whole)]
        seen: dict[Difference, _Seen] = {}
        for one in compared:
            found += self._findings(one, seen, now_ms)
        found += [one for one in foreign if one is not None]
        self._seen = seen
        self.found, self.comparisons, self.at_ms = tuple(found), compared, now_ms
        self.margins, self.unreadable = dict(whole.margins), tuple(whole.unreadable)
        if all(isinstance(one, Agree | Foreign) for one in found):
            self.last_clean_ms = now_ms
        return self.found

    def _findings(
        self, one: Comparison, seen: dict[Difference, _Seen], now_ms: int
    ) -> list[Finding]:
        found: list[Finding] = [*one.adopted]
        for difference in one.differences:
            before = self._seen.get(difference)
            once = _Seen(1, now_ms, one.evidence)
            now = before.again(difference, one.evidence, now_ms) if before else once
            seen[difference] = now
            found.append(difference if now.is_certain else Unconfirmed(one.key, difference))
            found += self._given_up(one, difference, now.reads)
        if not found:
            found.append(Agree(one.key))
        if one.foreign is not None:
            found.append(one.foreign)
        return found

    def _given_up(self, one: Comparison, difference: Difference, reads: int) -> list[Correct]:
        """Return the booking of units that are gone and that no trade will explain any more."""
        if not one.gone or not isinstance(difference, Quarantine) or reads < GONE_READS:
            return []
        return [Correct(one.key, "SELL", one.gone, "earlier_day")]


def contract_of(finding: Finding) -> ContractKey | None:
    """Return the contract of a finding, None for one of the whole account."""
    return None if isinstance(finding, FundsShort) else finding.key


def _funds(snapshot: AccountSnapshot) -> list[FundsShort]:
    return [
        FundsShort(segment, margin.available)
        for segment, margin in snapshot.margins.items()
        if margin.available < 0
    ]
