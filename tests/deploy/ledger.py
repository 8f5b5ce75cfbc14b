"""Run inside a deployment: what is on its topics, in its tables and in the broker's books, as JSON.

python - < tests/deploy/ledger.py, with the environment of a service.
"""

import asyncio
import json
import sys
import urllib.request
from collections import Counter
from typing import Any

from libs.events.candles import CandleBatch
from libs.events.codec import event_of
from libs.events.orders import OrderEvent, OrderFilled, OrderPlanned
from libs.events.positions import PositionClosed, PositionEvent
from libs.events.ticks import TickBatch
from libs.runtime.process import make_bus, store_address
from libs.runtime.settings import load_settings
from libs.store.clickhouse import ClickHouseStore
from services.local.settings import LocalSettings

COUNTED = {
    "ticks": "SELECT count() AS n FROM market_data FINAL",
    "candles": "SELECT count() AS n FROM historical_data FINAL WHERE source = 'live'",
}
LISTED = {
    name: f"SELECT DISTINCT event_id FROM {name}"
    for name in ("strategy_signals", "decisions", "orders", "positions")
}


async def main() -> None:
    settings = load_settings(LocalSettings, None)
    bus, store = make_bus(settings.bus), ClickHouseStore(store_address(settings.store))
    await bus.start()
    counts: dict[str, Counter[str]] = {topic: Counter() for topic in (*COUNTED, *LISTED)}
    events: dict[str, Any] = {}
    for topic, seen in counts.items():
        async for message in bus.read([topic]):
            event = event_of(message)
            if isinstance(event, TickBatch):
                seen[str(event.event_id)] = len(event.columns)
            elif isinstance(event, CandleBatch):
                seen.update({str(one.candle_id): 0 for one in event.candles()})
                seen.update(str(one.candle_id) for one in event.candles())
            else:
                seen[str(event.event_id)] += 1
                events[str(event.event_id)] = event
    tables = {topic: int((await store.query(sql))["n"][0]) for topic, sql in COUNTED.items()}
    missing = {topic: total(topic, counts[topic]) - tables[topic] for topic in COUNTED}
    for topic, sql in LISTED.items():
        stored = {str(one) for one in (await store.query(sql))["event_id"]}
        tables[topic] = len(stored)
        missing[topic] = len(set(counts[topic]) - stored)  # a compacted topic forgets, not a table
    await bus.stop()
    await store.close()
    found = {"tables": tables, "missing": missing, **books(list(events.values()), settings)}
    sys.stdout.write(json.dumps(found))


def total(topic: str, seen: Counter[str]) -> int:
    return sum(seen.values()) if topic == "ticks" else len(seen)


def books(events: list[Any], settings: LocalSettings) -> dict[str, Any]:
    plans = [event for event in events if isinstance(event, OrderPlanned)]
    fills = [event for event in events if isinstance(event, OrderFilled)]
    bought: Counter[str] = Counter()
    for fill in fills:
        sign = 1 if fill.transaction_type == "BUY" else -1
        bought[str(fill.position_id)] += sign * fill.fill_quantity
    positions = [event for event in events if isinstance(event, PositionEvent)]
    return {
        "order_events": sum(isinstance(event, OrderEvent) for event in events),
        "repeated_tags": [tag for tag, n in Counter(one.tag for one in plans).items() if n > 1],
        "oversold": [position for position, held in bought.items() if held < 0],
        "fill_ids": sorted({fill.fill_id for fill in fills}),
        "trade_ids": sorted(trades(settings)),
        "opened": len({str(one.position_id) for one in positions}),
        "closed": sum(isinstance(one, PositionClosed) for one in positions),
    }


def trades(settings: LocalSettings) -> list[str]:
    session = json.loads(settings.kite.session_file.read_text())
    headers = {"Authorization": f"token {session['api_key']}:{session['access_token']}"}
    request = urllib.request.Request(f"{settings.kite.root}/trades", headers=headers)
    with urllib.request.urlopen(request, timeout=10) as reply:
        return [str(one["trade_id"]) for one in json.load(reply)["data"]]


asyncio.run(main())
