"""Kite's routes of an account: they need no market beside the account's own.

Mutual funds, auctions, alerts and GTT are not there. Each answer may raise a KiteError; sessions
are opened in `login`.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

from services.simulator.domain.account.profile import profile
from services.simulator.domain.desk import Desk
from services.simulator.domain.errors import InputError

D_contra = TypeVar("D_contra", bound=Desk, contravariant=True)


@dataclass(frozen=True, slots=True)
class Request:
    """What a client asks: parts of the path, the query's and the body's fields, or its JSON."""

    path: Mapping[str, str] = field(default_factory=dict)
    query: Mapping[str, str] = field(default_factory=dict)
    keys: Sequence[str] = ()
    form: Mapping[str, str] = field(default_factory=dict)
    json: Any = None

    def flag(self, name: str, default: bool = False) -> bool:
        """Return a yes or no of the query."""
        return self.query.get(name, str(default)).lower() in ("1", "true")

    def orders(self) -> list[Mapping[str, Any]]:
        """Return the orders in the JSON body; raises InputError."""
        if not isinstance(self.json, list) or not all(isinstance(one, dict) for one in self.json):
            raise InputError("Invalid request: the body must be a JSON list of orders.")
        return self.json


@dataclass(frozen=True, slots=True)
class Route(Generic[D_contra]):
    """A method and a path with `{parts}`; `changes` says that the account may differ after it."""

    method: str
    path: str
    answer: Callable[[D_contra, Request], Any]
    changes: bool = False


def _user(desk: Desk, _: Request) -> Any:
    return profile(desk.logins.app.user_id)


def _funds(desk: Desk, request: Request) -> Any:
    return desk.account.margins(request.path.get("segment"))


def _place(desk: Desk, request: Request) -> Any:
    return desk.place(request.path["variety"], request.form)


def _modify(desk: Desk, request: Request) -> Any:
    variety, order_id = request.path["variety"], request.path["order_id"]
    return desk.account.modify(variety, order_id, request.form, desk.now_ms)


def _cancel(desk: Desk, request: Request) -> Any:
    return desk.account.cancel(request.path["variety"], request.path["order_id"], desk.now_ms)


def _orders(desk: Desk, _: Request) -> Any:
    return desk.account.orders()


def _order_history(desk: Desk, request: Request) -> Any:
    return desk.account.order_history(request.path["order_id"])


def _trades(desk: Desk, _: Request) -> Any:
    return desk.account.trades()


def _order_trades(desk: Desk, request: Request) -> Any:
    return desk.account.order_trades(request.path["order_id"])


def _positions(desk: Desk, _: Request) -> Any:
    return desk.account.positions()


def _convert(desk: Desk, request: Request) -> Any:
    return desk.account.convert(request.form)


def _holdings(desk: Desk, _: Request) -> Any:
    return desk.account.holdings()


def _order_margins(desk: Desk, request: Request) -> Any:
    return desk.account.order_margins(request.orders())


def _basket_margins(desk: Desk, request: Request) -> Any:
    considered = request.flag("consider_positions", default=True)
    reply = desk.account.basket_margins(request.orders(), considered)
    return reply | {"orders": []} if request.query.get("mode") == "compact" else reply


def _contract_note(desk: Desk, request: Request) -> Any:
    return desk.account.contract_note(request.orders())


ACCOUNT_ROUTES: tuple[Route[Desk], ...] = (
    Route("GET", "/user/profile", _user),
    Route("GET", "/user/margins", _funds),
    Route("GET", "/user/margins/{segment}", _funds),
    Route("GET", "/orders", _orders),
    Route("GET", "/orders/{order_id}", _order_history),
    Route("GET", "/orders/{order_id}/trades", _order_trades),
    Route("POST", "/orders/{variety}", _place, changes=True),
    Route("PUT", "/orders/{variety}/{order_id}", _modify, changes=True),
    Route("DELETE", "/orders/{variety}/{order_id}", _cancel, changes=True),
    Route("GET", "/trades", _trades),
    Route("GET", "/portfolio/positions", _positions),
    Route("PUT", "/portfolio/positions", _convert, changes=True),
    Route("GET", "/portfolio/holdings", _holdings),
    Route("POST", "/margins/orders", _order_margins),
    Route("POST", "/margins/basket", _basket_margins),
    Route("POST", "/charges/orders", _contract_note),
)
