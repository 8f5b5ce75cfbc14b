"""The files of a backtest: signals, trades, equity, summary, and one sha256."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from libs.events.event import utc_from_ms
from libs.market.calendar import IST
from services.local.backtest.errors import BacktestError
from services.local.backtest.result import BacktestResult
from services.local.backtest.trade import Trade
from services.local.play.outcome import csv_text, sha256_of, to_json, write_files

TRADE_COLUMNS = (
    *("entered_at", "exited_at", "strategy", "instrument", "action", "exchange", "tradingsymbol"),
    *("transaction_type", "quantity", "entry_price", "exit_price", "reason"),
    *("gross", "charges", "net", "adverse", "favourable", "signal_id"),
)
EQUITY_COLUMNS = ("at", "rupees", "drawdown")


def outcome_files(result: BacktestResult) -> dict[str, str]:
    """Return file name → content of what the same inputs always give, byte by byte."""
    return {
        "strategy_signals.jsonl": "".join(f"{one.model_dump_json()}\n" for one in result.signals),
        "trades.csv": csv_text(TRADE_COLUMNS, map(_trade_row, result.trades)),
        "equity.csv": csv_text(EQUITY_COLUMNS, _equity_rows(result)),
    }


def summary_of(result: BacktestResult, files: Mapping[str, str]) -> dict[str, Any]:
    """Return what summary.json says: the request, the measures, and the sha256 of the files."""
    request, days = result.request, [one.trading_day for one in result.histories]
    return {
        "strategy": request.strategy,
        "parameters": dict(request.parameters),
        "instruments": [one.key for one in result.histories],
        "candles": sum(map(len, result.histories)),
        "interval": result.histories[0].interval,
        "first_day": str(min(one[0] for one in days)),
        "last_day": str(max(one[-1] for one in days)),
        "trades_in": request.trades_in,
        "capital": request.capital,
        "risk": request.risk,
        "max_position": request.max_position,
        "slippage": request.slippage,
        "is_overnight": request.is_overnight,
        "signals": len(result.signals),
        "refused_signals": result.refused,
        "untraded_signals": dict(result.untraded),
        **result.measures,
        "warnings": list(result.warnings),
        "sha256": sha256_of(files),
    }


def write_result(
    result: BacktestResult, out: Path, others: Mapping[str, str] | None = None
) -> dict[str, Any]:
    """Write all files, and `others` beside them, each whole or not at all; return the summary.

    Raises BacktestError where the disk refuses one.
    """
    files = outcome_files(result)
    summary = summary_of(result, files)
    write_out(out, {**files, **(others or {}), "summary.json": to_json(summary)})
    return summary


def write_out(out: Path, contents: Mapping[str, str]) -> None:
    """Write files, each whole or not at all; BacktestError where the disk refuses one."""
    try:
        write_files(out, contents)
    except OSError as error:
        raise BacktestError(f"--out: {out}: {error.strerror or error}") from None


def _trade_row(trade: Trade) -> Sequence[object]:
    """Return a trade as a row of TRADE_COLUMNS; times in India with their offset."""
    times = (_india(trade.entered_ms), _india(trade.exited_ms))
    names = TRADE_COLUMNS[2:]
    return (*times, *(getattr(trade, name) for name in names))


def _equity_rows(result: BacktestResult) -> Iterable[Sequence[object]]:
    equity = result.equity
    columns = (equity.at_ms.tolist(), equity.rupees.tolist(), equity.drawdown.tolist())
    for at_ms, rupees, drawdown in zip(*columns, strict=True):
        yield _india(at_ms), f"{rupees:.2f}", f"{drawdown:.6f}"


def _india(at_ms: int) -> str:
    return utc_from_ms(at_ms).astimezone(IST).isoformat()
