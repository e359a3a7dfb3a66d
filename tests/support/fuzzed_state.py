"""One of everything in the prediction service, with low ids, so that generated requests hit something."""

from pathlib import Path

from shared.db import Pool, transaction
from tests.support.database import START, insert_rows, row
from tests.support.models import activate_model

MODELS = 4
"""Active models 1 to 4: live, shadow of its line, deactivated, of few coins."""
ENDPOINTS = 3

_STATE = """
UPDATE prediction_active_models
SET mode = 'shadow', auto_promotion = '{"metric": "brier", "margin": 0.1, "min_outcomes": 2}' WHERE id = 2;
UPDATE prediction_active_models SET line = 'a' WHERE id <= 2;
UPDATE prediction_active_models SET is_active = false,
    activation = jsonb_set(activation, '{0,until}', activation -> 0 -> 'from') WHERE id = 3;
UPDATE prediction_active_models
SET coin_filter_mode = 'whitelist', coin_whitelist = '{0,a}', phases = '[1]', cooldown_alert_seconds = 60
WHERE id = 4;
INSERT INTO predictions (active_model_id, model_id, coin_id, data_timestamp, prediction, probability, threshold,
    is_alert, phase_id_at_time, outcome, actual_change_pct, evaluated_at)
SELECT n % 4 + 1, n % 4 + 1, CASE n % 3 WHEN 0 THEN '0' WHEN 1 THEN 'a' ELSE 'ß/ ?' END,
    '2026-03-01T12:00Z'::timestamptz + n * interval '1 minute', n % 2, n / 100.0, 0.5, n % 5 = 0, nullif(n % 4, 0),
    (ARRAY[NULL, 'tp', 'fp', 'tn', 'fn', 'unresolved'])[n % 6 + 1],
    CASE WHEN n % 6 BETWEEN 1 AND 4 THEN n - 20.0 END, CASE WHEN n % 6 > 0 THEN now() END
FROM generate_series(1, 40) AS n;
INSERT INTO prediction_stats (active_model_id, model_id, bucket_start, phase, predictions, positives, alerts, tp, fp,
    probability_sum, brier_sum, last_prediction_at)
SELECT n, n, '2026-03-01T12:00Z', 1, 10, 5, 2, 1, 1, 3.5, 0.4, '2026-03-01T12:40Z' FROM generate_series(1, 4) AS n;
INSERT INTO prediction_calibration (active_model_id, bucket_start, bin, resolved, positives, probability_sum)
SELECT n, '2026-03-01T12:00Z', 3, 2, 1, 0.35 FROM generate_series(1, 4) AS n;
INSERT INTO prediction_drift (active_model_id, model_id, day, rows, predictions, score_psi, features)
SELECT n, n, '2026-03-01', 10, 10, 0.1, '{"volume_sol": 0.2}' FROM generate_series(1, 4) AS n;
INSERT INTO webhook_endpoints (url, secret, enabled, headers, active_model_ids) VALUES
    ('https://example.com', 'whsec_AAAA', true, '{"X-Key": "secret"}', NULL),
    ('https://example.org', 'whsec_AAAA', false, '{}', NULL),
    ('https://example.net', 'whsec_AAAA', true, '{}', '{1,2}');
INSERT INTO webhook_deliveries (endpoint_id, webhook_id, event_type, coin_id, data_timestamp, body, status,
    attempts, expires_at, delivered_at, active_model_ids)
SELECT n % 3 + 1, 'msg_' || n, 'prediction.alert', '0', '2026-03-01T12:00Z', '{"type": "prediction.alert"}',
    (ARRAY['pending', 'delivered', 'failed', 'expired'])[n % 4 + 1], n % 3, now(),
    CASE WHEN n % 4 = 1 THEN now() END, ARRAY[1, 2]
FROM generate_series(1, 8) AS n;
INSERT INTO model_promotions (action, active_model_id, model_id, replaced_active_model_id, replaced_model_id, line)
VALUES ('promote', 1, 1, 2, 2, 'a'), ('import', 4, 4, NULL, NULL, NULL);
INSERT INTO model_packages (id, name, forecast_rel_path, ppo_rel_path, status, validated_at, archived_at, warmup_status,
    warmup_completed_at, manifest)
VALUES ('one', 'one', 'one/f', 'one/p', 'READY', now(), NULL, 'DONE', now(), '{"market": {"symbol": "BTCUSDT"}}'),
    ('two', 'two', 'two/f', 'two/p', 'ARCHIVED', now(), now(), 'DONE', now(), '{}');
INSERT INTO paper_accounts (id, package_id) VALUES ('paper_one', 'one');
INSERT INTO paper_positions (account_id, symbol, side, size_usdt, margin, leverage, entry_price, current_price,
    take_profit_pct, stop_loss_pct, expires_at)
SELECT 'paper_one', 'BTCUSDT', 'LONG', 200, 200 / 7.0, 7, 100, 100, 5, 3, now() + interval '2 days'
FROM generate_series(1, 3) AS n;
INSERT INTO candles (symbol, interval, open_time, open, high, low, close, volume)
SELECT 'BTCUSDT', '15m', '2026-03-01T12:00Z'::timestamptz + n * interval '15 minutes', 100, 101, 99, 100, n
FROM generate_series(1, 20) AS n WHERE n <> 7;
"""


async def fill(pool: Pool, home: Path) -> None:
    """Have one of everything, and four rows of a coin."""
    for model_id in range(1, MODELS + 1):
        await activate_model(pool, home, model_id=model_id)
    async with transaction(pool) as connection:
        await insert_rows(connection, [row(coin, 20.0 * at) for coin in ("0", "a", "ß/ ?") for at in range(4)])
        await connection.execute(_STATE)
        assert await connection.fetchval("SELECT min(data_timestamp) > $1 FROM predictions", START)
