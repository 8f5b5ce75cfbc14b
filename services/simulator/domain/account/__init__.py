"""The broker's side of the simulated exchange: accounts with orders, positions and margins.

`Account` answers what Kite Connect answers; `gateway` takes requests, `exchange` carries orders
through each second, `parts` holds an account's parts together and `state` is what it remembers.
"""

from services.simulator.domain.account.account import Account
from services.simulator.domain.account.market_port import AccountMarket
from services.simulator.domain.account.rules import AccountRules

__all__ = ["Account", "AccountMarket", "AccountRules"]
