"""The broker's side of the simulated exchange: accounts with orders, positions and margins.

`Account` gives Kite Connect's replies; `gateway` takes requests, `order_flow` processes the orders
of each second, `parts` holds an account's parts together and `state` is what is saved of it.
"""

from services.simulator.domain.account.account import Account
from services.simulator.domain.account.market_port import AccountMarket
from services.simulator.domain.account.rules import AccountRules

__all__ = ["Account", "AccountMarket", "AccountRules"]
