"""Closing what is held at the broker with nothing else running: `alphastocks flatten`.

The broker's books are the only truth: each round reads orders and positions, and decides anew. So
a run may die at any moment, be started again, or run twice at once.

| part | what it does |
|---|---|
| `account` | what the broker shows: orders, positions, which of them are ours |
| `books`, `earlier_days` | what our books hold of earlier days, if the bus can be read |
| `plan` | what is to be cancelled, and how many units of which contract are to be closed |
| `dedup` | of the sales of two runs, which one stays |
| `closing` | the orders of one contract, from the first to the last unit: the exit ladder |
| `prices` | touch, last price and allowed prices of a contract |
| `terms` | freeze quantity and lot of a contract |
| `rounds` | the loop: read, cancel, price, send; the only part with a broker and a clock |

How two runs at once do not sell twice: an order is first placed where it does not fill, at the far
side of the spread. A round later, when the book shows every run the same orders, the earliest of
them stay, as many as the net quantity takes; only those are repriced to the near side.
"""
