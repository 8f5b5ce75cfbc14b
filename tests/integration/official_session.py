"""A trader's session with the official kiteconnect client, unmodified, as a process of its own.

Twisted's reactor can be started once per process, so this is run as a script:
`python official_session.py ROOT WS_ROOT API_KEY API_SECRET INDEX STOCK OPTION`, instruments as
exchange:tradingsymbol. It prints one JSON object of what it saw.
"""

import json
import os
import sys
import threading
import time
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import parse_qs, urlsplit

import requests
from kiteconnect import KiteConnect, KiteTicker
from kiteconnect.exceptions import InputException, KiteException, TokenException

QUOTE_REST_SECONDS = 1.1
TIMEOUT_SECONDS = 30.0


def main(root: str, ws_root: str, api_key: str, api_secret: str, *keys: str) -> dict[str, Any]:
    seen: dict[str, Any] = {}
    kite = KiteConnect(api_key, root=root)
    seen["session"] = log_in(kite, root, api_key, api_secret)
    seen["profile"] = kite.profile()
    seen["margins"] = kite.margins()["equity"]["available"]
    chosen = instruments(kite, seen, keys)
    quotes(kite, seen, keys)
    history(kite, seen, chosen[0])
    stream = Stream(api_key, str(kite.access_token), ws_root)
    stream.open({"full": [chosen[0], chosen[2]], "quote": [chosen[1]]})
    seen["ticks"] = stream.wait_for_ticks(40)
    stream.change_mode("ltp", [chosen[1]])
    seen["ltp_ticks"] = stream.wait_for_ticks(10, "ltp")
    seen["orders"] = trade(kite, stream, keys[2])
    seen["updates"] = stream.updates
    stream.close()
    seen["positions"] = kite.positions()
    seen["trades"] = kite.trades()
    kite.invalidate_access_token()
    seen["after_logout"] = refusal(kite.profile)
    return seen


def log_in(kite: KiteConnect, root: str, api_key: str, api_secret: str) -> dict[str, Any]:
    """Log in as a browser would, by the form of the login page."""
    page = f"{root}/connect/login?api_key={api_key}&v=3"
    assert requests.get(page, timeout=5).status_code == 200
    sent = requests.post(page, allow_redirects=False, timeout=5)
    token = parse_qs(urlsplit(sent.headers["location"]).query)["request_token"][0]
    session: dict[str, Any] = kite.generate_session(token, api_secret=api_secret)
    return {"user_id": session["user_id"], "again": refusal(lambda: again(kite, token, api_secret))}


def again(kite: KiteConnect, token: str, api_secret: str) -> Any:
    """Use a request token a second time, without losing the session of the first."""
    return KiteConnect(kite.api_key, root=kite.root).generate_session(token, api_secret)


def instruments(kite: KiteConnect, seen: dict[str, Any], keys: tuple[str, ...]) -> list[int]:
    every = kite.instruments()
    seen["instruments"] = len(every)
    seen["nfo_instruments"] = len(kite.instruments("NFO"))
    tokens = {f"{one['exchange']}:{one['tradingsymbol']}": one["instrument_token"] for one in every}
    return [tokens[key] for key in keys]


def quotes(kite: KiteConnect, seen: dict[str, Any], keys: tuple[str, ...]) -> None:
    """Ask for each kind of quote, within the limit of one a second."""
    for name in ("quote", "ohlc", "ltp"):
        time.sleep(QUOTE_REST_SECONDS)
        seen[name] = getattr(kite, name)(*keys)


def history(kite: KiteConnect, seen: dict[str, Any], token: int) -> None:
    until = next(iter(seen["quote"].values()))["timestamp"]
    seen["history"] = {}
    for interval in ("minute", "15minute", "day"):
        time.sleep(0.4)
        since = until - timedelta(days=5)
        seen["history"][interval] = kite.historical_data(token, since, until, interval)
    time.sleep(QUOTE_REST_SECONDS)
    seen["too_far_back"] = refusal(
        lambda: kite.historical_data(token, until - timedelta(days=61), until, "minute")
    )


def trade(kite: KiteConnect, stream: "Stream", key: str) -> dict[str, Any]:
    """Place, modify and cancel a bid far from the market; then buy and sell at it."""
    exchange, symbol = key.split(":")
    time.sleep(QUOTE_REST_SECONDS)
    quote = kite.quote(key)[key]
    ask, lot = quote["depth"]["sell"][0]["price"], lot_of(kite, symbol)
    far = on_tick(ask * 0.8)
    same = {"variety": "regular", "exchange": exchange, "tradingsymbol": symbol, "product": "NRML"}
    buy = {**same, "transaction_type": "BUY", "order_type": "LIMIT", "quantity": lot}
    resting = kite.place_order(**buy, price=far, tag="resting")
    stream.wait_for_order(resting, "OPEN")
    kite.modify_order("regular", resting, price=on_tick(far + 0.05))
    stream.wait_for(lambda: kite.order_history(resting)[-1]["price"] == on_tick(far + 0.05))
    kite.cancel_order("regular", resting)
    stream.wait_for_order(resting, "CANCELLED")
    bought = kite.place_order(**buy, price=on_tick(ask * 1.05), tag="bought")
    stream.wait_for_order(bought, "COMPLETE")
    sell = {**buy, "transaction_type": "SELL", "order_type": "MARKET"}
    refused = refusal(lambda: kite.place_order(**sell, tag="unprotected"))
    sold = kite.place_order(**sell, tag="sold", market_protection=-1)
    stream.wait_for_order(sold, "COMPLETE")
    book = {order["order_id"]: order for order in kite.orders()}
    return {
        "resting": [step["status"] for step in kite.order_history(resting)],
        "bought": book[bought],
        "sold": book[sold],
        "unprotected": refused,
        "fills": kite.order_trades(bought),
    }


def on_tick(price: float) -> float:
    """Round to five paise."""
    return round(round(price / 0.05) * 0.05, 2)


def lot_of(kite: KiteConnect, symbol: str) -> int:
    dump = kite.instruments("NFO")
    return int(next(one["lot_size"] for one in dump if one["tradingsymbol"] == symbol))


def refusal(call: Any) -> str:
    """Return the exception that a call raises, with its code; empty when it is answered."""
    try:
        call()
    except (TokenException, InputException, KiteException) as error:
        return f"{type(error).__name__} {error.code}"
    return ""


class Stream:
    """The official ticker in its thread, and what arrived."""

    def __init__(self, api_key: str, access_token: str, ws_root: str) -> None:
        self.ticks: list[dict[str, Any]] = []
        self.updates: list[dict[str, Any]] = []
        self._connected = threading.Event()
        self._ticker = KiteTicker(api_key, access_token, root=ws_root)
        self._ticker.on_ticks = lambda _, ticks: self.ticks.extend(ticks)
        self._ticker.on_order_update = lambda _, order: self.updates.append(order)
        self._ticker.on_connect = lambda *_: self._connected.set()

    def open(self, modes: dict[str, list[int]]) -> None:
        self._ticker.connect(threaded=True)
        assert self._connected.wait(TIMEOUT_SECONDS), "the ticker does not connect"
        for mode, tokens in modes.items():
            self._in_reactor(self._ticker.subscribe, tokens)
            self._in_reactor(self._ticker.set_mode, mode, tokens)

    def change_mode(self, mode: str, tokens: list[int]) -> None:
        self._in_reactor(self._ticker.set_mode, mode, tokens)

    def wait_for_ticks(self, count: int, mode: str | None = None) -> list[dict[str, Any]]:
        def arrived() -> list[dict[str, Any]]:
            return [tick for tick in list(self.ticks) if mode in {None, tick["mode"]}]

        self.wait_for(lambda: len(arrived()) >= count)
        return arrived()

    def wait_for_order(self, order_id: str, status: str) -> None:
        self.wait_for(
            lambda: any(
                (one["order_id"], one["status"]) == (order_id, status) for one in self.updates
            )
        )

    def wait_for(self, is_so: Any) -> None:
        deadline = time.monotonic() + TIMEOUT_SECONDS
        while not is_so():
            assert time.monotonic() < deadline, f"not seen in time; updates: {self.updates[-3:]}"
            time.sleep(0.12)

    def close(self) -> None:
        self._in_reactor(self._ticker.close)

    def _in_reactor(self, call: Any, *arguments: Any) -> None:
        self._ticker.factory.reactor.callFromThread(call, *arguments)


def plain(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.isoformat()
    return str(value)


if __name__ == "__main__":
    os.environ["TZ"] = "Asia/Kolkata"
    time.tzset()
    json.dump(main(*sys.argv[1:]), sys.stdout, default=plain)
    sys.stdout.flush()
    os._exit(0)  # the reactor's thread is a daemon; nothing else is left to do
