"""The account's truth: the broker's orders, trades and positions against our own books.

Invariant: for each contract and product the account's net position is what our books hold plus
what its owner did by hand, and each unit of the difference is explained by a trade of today or was
there when the day began. Tolerance: none, in units; but the three lists of a snapshot are read one
after the other, and a fill may fall in between. So a difference counts only when two snapshots in a
row, at least a second apart, say the same and nothing was traded in between.

| what is found | what it is |
|---|---|
| `Agree` | the books are right |
| `Adopt` | the broker knows more of an order of ours: its update, to be booked at once |
| `Correct` | units of ours were closed by hand, by the broker's square-off or at expiry |
| `Oversold` | our own tags sold more than was held: to be bought back |
| `Foreign` | the owner's own trading, left alone |
| `Quarantine` | what nobody can explain: no entry in that underlying until it is explained |
| `Unconfirmed` | one of these, seen once: the next snapshot decides |

What was traded by hand is attributed in the order of the trades: a sale reduces manual holdings
first and ours after them, a purchase covers a manual short first. A short that was made by hand is
never ours. What a flatten traded, which its tags tell, closes ours first.
"""

from services.executor.domain.reconciliation.findings import (
    Adopt,
    Agree,
    Correct,
    Finding,
    Foreign,
    FundsShort,
    Oversold,
    Quarantine,
    Reason,
    Unconfirmed,
)
from services.executor.domain.reconciliation.reconciler import Reconciler
from services.executor.domain.reconciliation.sale import Sale, sellable
from services.executor.domain.reconciliation.snapshot import (
    AccountSnapshot,
    ContractKey,
    OurContract,
    OurOrder,
    TradeId,
    UnreadableRow,
)
from services.executor.domain.reconciliation.view import (
    ContractOutcome,
    ReconciliationView,
    view_of,
)

__all__ = [
    "AccountSnapshot",
    "Adopt",
    "Agree",
    "ContractKey",
    "ContractOutcome",
    "Correct",
    "Finding",
    "Foreign",
    "FundsShort",
    "OurContract",
    "OurOrder",
    "Oversold",
    "Quarantine",
    "Reason",
    "Reconciler",
    "ReconciliationView",
    "Sale",
    "TradeId",
    "Unconfirmed",
    "UnreadableRow",
    "sellable",
    "view_of",
]
