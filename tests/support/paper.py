"""Packages to trade on paper, and books that must agree."""

from datetime import datetime
from typing import Any

from prediction_service.usecases import paper_trading
from shared.db import Connection, Pool, transaction

_PACKAGE = """
INSERT INTO model_packages (id, name, forecast_rel_path, ppo_rel_path, status, validated_at, warmup_status,
                            warmup_completed_at, warmup_error, archived_at, manifest)
VALUES ($1, $1, $1 || '/forecast_model.pt', $1 || '/ppo_policy.zip', $2, now(), $3,
        CASE WHEN $3 = 'DONE' THEN now() END, $4, CASE WHEN $2 = 'ARCHIVED' THEN now() END, $5)
"""
_BOOKS = """
SELECT account.id, account.balance, account.initial_balance
    + coalesce(sum(position.pnl) FILTER (WHERE position.status = 'CLOSED'), 0)
    - coalesce(sum(position.fees) FILTER (WHERE position.status = 'OPEN'), 0) AS owed,
    count(*) FILTER (WHERE position.status = 'OPEN') AS open_positions
FROM paper_accounts AS account
LEFT JOIN paper_positions AS position ON position.account_id = account.id AND position.round = account.round
GROUP BY account.id
ORDER BY account.id
"""


async def add_package(
    pool: Pool | Connection,
    package_id: str = "one",
    *,
    status: str = "READY",
    warmup: str = "DONE",
    error: str | None = None,
    symbol: str | None = "BTCUSDT",
) -> None:
    """Register a package without files."""
    await pool.execute(_PACKAGE, package_id, status, warmup, error, {"market": {"symbol": symbol}})


async def tell_candle(
    pool: Pool, *, at: datetime, since: datetime, symbol: str, **prices: float
) -> paper_trading.Written:
    """Tell the account of package one a candle, as its own trading does."""
    async with transaction(pool) as connection:
        return await paper_trading.mark_candle_in(connection, "paper_one", symbol=symbol, at=at, since=since, **prices)


async def check_books(pool: Pool | Connection) -> list[Any]:
    """Give accounts after a look that each balance is what its positions say."""
    found = await pool.fetch(_BOOKS)
    for row in found:
        assert abs(row["balance"] - row["owed"]) < 1e-6, dict(row)
    return list(found)


def signal(**changed: Any) -> dict[str, Any]:
    """Give a signal to post."""
    return {
        "model_id": "one",
        "symbol": "BTCUSDT",
        "signal": "LONG",
        "confidence": 80.0,
        "current_price": 100.0,
        **changed,
    }
