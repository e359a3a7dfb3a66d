"""Coins that fall silent: nobody knows it at the alert, so training, tests and comparisons count and sell them too."""

import numpy as np
import pytest

from shared.artifact import read_artifact, verify
from tests.support.database import insert_rows
from tests.support.measuring import LATER, at, compare, test_on, train_all
from tests.support.training import learnable_rows, model_file, training_settings

HORIZON = 5
FREE = {"fee_pct": 0.0, "slippage_pct": 0.0, "trade_size_sol": 1.0}
OBSERVED = {
    **FREE, "features": ["buy_volume_sol", "sell_volume_sol"], "label_resolution": "observed", "alerts_per_day": 2000.0
}  # fmt: skip


@pytest.fixture
def settings(database, tmp_path):
    return training_settings(database, tmp_path)


@pytest.fixture
async def market(connection):
    """25 coins of 300 minutes; 60 more are seen for seven minutes only, at any time."""
    rows = learnable_rows(minutes=300)
    for number in range(60):
        own = [row for row in learnable_rows(coins=1, minutes=300, seed=number + 2) if row["mint"] == "coin000"]
        first = number * 290 // 60
        rows += [{**row, "mint": f"gone{number:03d}"} for row in own[first : first + 7]]
    await insert_rows(connection, rows)
    return rows


def by_hand(rows, model, window):
    """Give mint, probability, change of the price and whether the coin was seen again, of the rows of a window."""
    own = {}
    for row in rows:
        own.setdefault(row["mint"], []).append(row)
    scorer = verify(read_artifact(model_file(model), sha256=model["model_file_sha256"]))
    found = []
    for of in own.values():
        moments = [(row["timestamp"] - at(0)).total_seconds() / 60 for row in of]
        for place, minute in enumerate(moments):
            if not window[0] <= minute <= window[1]:
                continue
            until = max(later for later, then in enumerate(moments) if then <= minute + HORIZON)
            change = (of[until]["price_close"] / of[place]["price_close"] - 1) * 100
            volumes = [[of[place]["buy_volume_sol"], of[place]["sell_volume_sol"]]]
            found.append((scorer.probabilities(np.array(volumes, np.float32))[0], change, moments[-1] >= minute + 5))
    return [np.array(column) for column in zip(*found, strict=True)]


async def test_alerts_of_a_test_are_those_a_live_model_would_have_given(pool, settings, market):
    [model] = await train_all(pool, settings, OBSERVED)

    [result] = await test_on(pool, settings, model["id"], LATER)

    probability, change, seen = by_hand(market, model, LATER)
    alerts = probability >= model["alert_threshold"]
    told = result["metrics"]
    money = told["money"]
    assert (alerts & ~seen).sum() > 2
    assert result["num_samples"] == seen.sum() < len(seen)
    assert told["alerts"] == alerts.sum()
    assert told["alerts_per_day"] == pytest.approx(alerts.sum() / (135 / 1440))
    assert result["expected_value_pct"] == pytest.approx(change[alerts].mean())
    assert money["seen_again"]["mean_pct"] == pytest.approx(change[alerts & seen].mean())
    assert (money["silent_alerts"], money["alerts_without_outcome"]) == ((alerts & ~seen).sum(), 0)
    counts = told["at_alert_threshold"]
    assert counts["tp"] + counts["fp"] == (alerts & seen).sum()
    assert sum(period["alerts"] for period in told["periods"]) == alerts.sum()


async def test_figures_and_threshold_of_training_rest_on_all_rows_of_their_stretch(pool, settings, market):
    [model] = await train_all(pool, settings, OBSERVED)

    # The cuts fall by rows with an answer: 120 for the hold-out; of the 115 minutes before it a fifth calibrates.
    holdout = (121, 150)
    probability, change, _ = by_hand(market, model, holdout)
    alerts = probability >= model["alert_threshold"]
    told = model["metrics"]
    assert told["alerts"] == alerts.sum()
    assert told["alerts_per_day"] == pytest.approx(alerts.sum() / (29 / 1440))
    assert model["expected_value_pct"] == pytest.approx(change[alerts].mean())

    calibrating, _, seen = by_hand(market, model, (93, 115))
    wanted = 2000 * 22 / 1440
    assert (~seen).sum() > 5
    assert (calibrating >= model["alert_threshold"]).sum() <= wanted
    fewer = np.min(calibrating[calibrating >= model["alert_threshold"]])
    assert fewer == model["alert_threshold"]
    below = np.max(calibrating[calibrating < model["alert_threshold"]])
    assert (calibrating >= below).sum() > wanted


async def test_the_figures_of_training_come_out_again_also_where_coins_fall_silent(pool, settings, market):
    [model] = await train_all(pool, settings, OBSERVED)

    [result] = await test_on(pool, settings, model["id"], (121, 150))

    for name in ("money", "threshold_curve", "alerts_per_day", "at_alert_threshold", "average_precision"):
        assert result["metrics"][name] == model["metrics"][name]
    assert result["metrics"]["money"]["silent_alerts"] > 0


async def test_a_comparison_trades_all_rows_and_ranks_by_those_that_have_an_answer(pool, settings, market):
    observed, recording = await train_all(pool, settings, OBSERVED, {**OBSERVED, "label_resolution": "recording"})

    _, found = await compare(pool, settings, [observed, recording])

    results = found["results"]
    probability, change, seen = by_hand(market, observed, LATER)
    alerts = probability >= observed["alert_threshold"]
    assert (results["shared"]["rows"], results["shared"]["scored_rows"]) == (seen.sum(), len(seen))
    figures = {one["model_id"]: one for one in results["models"]}
    first, second = figures[observed["id"]], figures[recording["id"]]
    assert first["alerts"] == alerts.sum()
    assert first["expected_value_pct"] == pytest.approx(change[alerts].mean())
    assert (first["own_rows"], second["own_rows"]) == (seen.sum(), len(seen))
    lead = results["differences"][0]["expected_value_pct"]
    assert lead["difference"] == pytest.approx(first["expected_value_pct"] - second["expected_value_pct"])
    assert lead["low"] <= lead["difference"] <= lead["high"]
