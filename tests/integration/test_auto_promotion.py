"""A shadow goes live by itself when its outcomes beat those of the live model on the same rows, and not before."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from prediction_service.settings import PredictionSettings
from prediction_service.store import active_models
from prediction_service.store.promotions import LOCAL
from prediction_service.usecases.challenges import beyond_chance, look
from prediction_service.usecases.model_settings import change_settings
from prediction_service.usecases.models import activate, deactivate
from prediction_service.usecases.promotions import _Pair, _promote_unchanged, promote_due
from shared.contracts.model_settings import ChangeSettings
from shared.db import Connection, Pool
from tests.support.live import running_worker, until
from tests.support.models import activate_model
from tests.support.predictions import at
from tests.support.serving import Api

LIVE, SHADOW = 1, 2
COINS = 50


@dataclass(frozen=True, kw_only=True)
class Said:
    """What a model said of a row, and how it came out; the decision threshold is 0.5."""

    second: float
    probability: float
    outcome: bool | None
    """None: unresolved."""
    change: float | None = None
    evaluated: bool = True


async def store_outcomes(pool: Pool, active_id: int, *said: Said) -> None:
    """Write predictions as the live loop and the outcomes leave them."""
    names = {(1, True): "tp", (1, False): "fp", (0, True): "fn", (0, False): "tn"}
    rows = []
    for one in said:
        prediction = int(one.probability >= 0.5)
        outcome = "unresolved" if one.outcome is None else names[prediction, one.outcome]
        rows.append((
            active_id, active_id, at(one.second), one.probability, 0.5, prediction, one.probability >= 0.7,
            f"coin {one.second % COINS}", one.change, outcome if one.evaluated else None,
            at(10_000) if one.evaluated else None,
        ))  # fmt: skip
    await pool.executemany(
        "INSERT INTO predictions (active_model_id, model_id, data_timestamp, probability, threshold, prediction,"
        " is_alert, coin_id, actual_change_pct, outcome, evaluated_at)"
        " VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)",
        rows,
    )


async def have_a_line(pool: Pool, home: Path, **auto: Any) -> None:
    """Have a live model and a shadow that may take its place."""
    await activate_model(pool, home, model_id=1)
    await activate_model(pool, home, model_id=2)
    await change_settings(pool, LIVE, ChangeSettings(line="pumps"), by="test")
    change = ChangeSettings.model_validate({"mode": "shadow", "line": "pumps", "auto_promotion": auto or None})
    await change_settings(pool, SHADOW, change, by="test")


async def live_ids(pool: Pool) -> list[int]:
    return [model.id for model in await active_models.list_active(pool) if model.mode == "live"]


def answers(count: int, right: int, *, first: int = 0, high: float = 0.9, **more: Any) -> list[Said]:
    """Give alerts of which some come true; after them as many rows that are rightly none."""
    alerts = [Said(second=first + n, probability=high, outcome=n < right, **more) for n in range(count)]
    return alerts + [Said(second=first + count + n, probability=0.1, outcome=False, **more) for n in range(count)]


@pytest.mark.parametrize(
    ("metric", "margin", "least", "words"),
    [
        ("precision", 0.1, 100, "precision 0.6 (over 100 positive predictions"),
        ("alert_precision", 0.1, 100, "alert_precision 0.6 (over 100 alerts"),
        ("brier", 0.04, 200, "brier 0.17 (over 200 known answers) against 0.21"),
    ],
)
async def test_shadow_when_it_is_better_by_just_the_margin_then_it_is_promoted_once_and_the_log_says_why(
    api: Api,
    configured: PredictionSettings,
    pool: Pool,
    tmp_path: Path,
    metric: str,
    margin: float,
    least: int,
    words: str,
):
    await have_a_line(pool, tmp_path, metric=metric, margin=margin, min_outcomes=least)
    await store_outcomes(pool, LIVE, *answers(100, 50))
    await store_outcomes(pool, SHADOW, *answers(100, 60))
    _, shown = await api.get("/api/models/2/challenge")
    assert (shown["ready"], shown["missing"], shown["lead"], shown["pairs"]) == (True, [], margin, 200)
    await promote_due(pool, configured)
    assert await live_ids(pool) == [SHADOW]
    # What it replaced does not come back by itself, better or not.
    await pool.execute("UPDATE predictions SET outcome = 'fp' WHERE active_model_id = 2 AND prediction = 1")
    await promote_due(pool, configured)
    assert await live_ids(pool) == [SHADOW]
    [entry] = (await api.get("/api/promotions", params={"action": "promote"}))[1]["promotions"]
    assert (entry["made_by"], entry["active_model_id"], entry["replaced_active_model_id"]) == ("auto", 2, 1)
    assert words in entry["reason"]
    assert f"better by {margin:g}, {margin:g} was asked for" in entry["reason"]
    assert entry["metrics"] == {name: shown[name] for name in ("challenger", "live", "coins", "lead", "chance")}
    assert (shown["coins"], 0 < shown["chance"] < margin) == (COINS, True)
    assert (await api.post("/api/models/2/rollback"))[0] == 200
    await promote_due(pool, configured)
    assert await live_ids(pool) == [LIVE]


def of_one_coin(outcome: bool) -> list[Said]:
    return [Said(second=COINS * n, probability=0.9, outcome=outcome) for n in range(30)]


NOT_YET: list[tuple[tuple[str, float, int], list[Said], list[Said], list[str]]] = [
    (("precision", 0.11, 100), answers(100, 60), answers(100, 50), ["challenger is better by 0.1, 0.11 is asked for"]),
    (
        ("precision", 0.1, 101),
        answers(100, 60),
        answers(100, 50),
        ["challenger has 100 of 101", "live model has 100 of"],
    ),
    (("precision", 0.1, 50), answers(100, 50), answers(100, 60), ["challenger is not better (-0.1)"]),
    # A hundred alerts each, but the first thirty of the challenger are of rows that the live model did not answer.
    (("alert_precision", 0.1, 80), answers(100, 90), answers(100, 0, first=30), ["challenger has 70 of 80 alerts"]),
    # The live model alerts on nothing: it has no precision to be beaten.
    (("alert_precision", 0.1, 50), answers(100, 90), answers(100, 50, high=0.6), ["live model has 0 of 50 alerts"]),
    (("brier", 0.001, 201), answers(100, 90), answers(100, 10), ["challenger has 200 of 201", "live model has 200 of"]),
    (("brier", 0.01, 5), answers(100, 50, evaluated=False), answers(100, 10), ["challenger has 0", "live model has 0"]),
    # Margin and number are there, but it is one lucky row of ten; and thirty rows of one coin are one event.
    (("precision", 0.1, 10), answers(10, 6), answers(10, 5), ["better by 0.1, up to 0.276 may be chance"]),
    (
        ("precision", 0.1, 10),
        of_one_coin(True),
        of_one_coin(False),
        ["of 1 coins: with fewer than 10 all may be chance"],
    ),
]


@pytest.mark.parametrize(("auto", "ours", "theirs", "missing"), NOT_YET)
async def test_shadow_when_something_is_missing_then_it_stays_and_the_challenge_says_what(
    api: Api,
    configured: PredictionSettings,
    pool: Pool,
    tmp_path: Path,
    auto: Any,
    ours: Any,
    theirs: Any,
    missing: Any,
):
    await have_a_line(pool, tmp_path, metric=auto[0], margin=auto[1], min_outcomes=auto[2])
    await store_outcomes(pool, LIVE, *theirs)
    await store_outcomes(pool, SHADOW, *ours)
    await promote_due(pool, configured)
    assert await live_ids(pool) == [LIVE]
    _, shown = await api.get("/api/models/2/challenge")
    assert not shown["ready"]
    assert len(shown["missing"]) == len(missing)
    for sentence, words in zip(shown["missing"], missing, strict=True):
        assert words in sentence


def by_coins(values: dict[int, float]) -> tuple[int, float, float]:
    """Give number of coins, mean and its standard error: what is left over is summed up by coin, then squared."""
    mean, left = float(np.mean(list(values.values()))), dict[int, float]()
    for n, value in values.items():
        left[n % COINS] = left.get(n % COINS, 0.0) + value - mean
    spread = len(left) / (len(left) - 1) * sum(one**2 for one in left.values())
    return len(left), mean, spread**0.5 / len(values)


async def test_figures_when_rows_are_of_every_kind_then_they_are_those_counted_by_hand(
    pool: Pool, tmp_path: Path, configured: PredictionSettings
):
    await have_a_line(pool, tmp_path)
    rng = np.random.default_rng(3)
    said: dict[int, dict[int, Said]] = {LIVE: {}, SHADOW: {}}
    for second in range(600):
        answer = [True, False, None][rng.integers(3)]
        change = None if rng.random() < 0.2 else float(rng.normal())
        for active_id, rows in said.items():
            if rng.random() < 0.8:
                rows[second] = Said(
                    second=second, probability=round(float(rng.random()), 6), outcome=answer, change=change,
                    evaluated=second < 500 or (active_id == LIVE and second < 550),
                )  # fmt: skip
    # Written before the latest activation of the shadow: not of this challenge.
    await store_outcomes(pool, SHADOW, *answers(20, 20, first=1000))
    await store_outcomes(pool, LIVE, *answers(20, 0, first=1000), *said[LIVE].values())
    assert await deactivate(pool, SHADOW, LOCAL)
    assert await activate(pool, SHADOW, LOCAL)
    await store_outcomes(pool, SHADOW, *said[SHADOW].values())
    auto = {"metric": "brier", "margin": 0.1, "min_outcomes": 20}
    change = ChangeSettings.model_validate({"alert_threshold": 0.4, "auto_promotion": auto})
    await change_settings(pool, SHADOW, change, by="test")
    shadow, live = [await active_models.get(pool, active_id) for active_id in (SHADOW, LIVE)]
    assert shadow is not None
    assert live is not None
    found = await look(pool, shadow, live)
    common = [n for n in said[LIVE] if n in said[SHADOW] and n < 500]
    assert found.pairs == len(common) > 300
    errors = []
    for active_id, figures, threshold in ((SHADOW, found.challenger, 0.4), (LIVE, found.live, 0.7)):
        rows = [said[active_id][n] for n in common]
        known = [one for one in rows if one.outcome is not None]
        positives = [one for one in known if one.probability >= 0.5]
        alerts = [one for one in known if one.probability >= threshold]
        changes = [one.change for one in rows if one.probability >= threshold and one.change is not None]
        assert (figures.outcomes, figures.positives) == (len(known), len(positives))
        assert (figures.alerts, figures.returns) == (len(alerts), len(changes))
        assert figures.precision == pytest.approx(np.mean([one.outcome for one in positives]))
        assert figures.alert_precision == pytest.approx(np.mean([one.outcome for one in alerts]))
        assert figures.brier == pytest.approx(np.mean([(one.probability - float(one.outcome)) ** 2 for one in known]))
        assert figures.mean_return_pct == pytest.approx(np.mean(changes))
        errors.append({n: (said[active_id][n].probability - said[active_id][n].outcome) ** 2 for n in common
                       if said[active_id][n].outcome is not None})  # fmt: skip
    excess = {n: error - errors[1][n] for n, error in errors[0].items()}
    coins, mean, error = by_coins(excess)
    assert (found.coins, found.lead) == (coins, pytest.approx(-mean, abs=1e-9))
    assert found.chance == pytest.approx(beyond_chance(len(excess), 20) * error)


async def test_mean_return_when_alerts_fell_silent_then_they_count_and_a_change_of_settings_stops_the_promotion(
    configured: PredictionSettings, pool: Pool, tmp_path: Path
):
    await have_a_line(pool, tmp_path, metric="mean_return", margin=2, min_outcomes=12)
    alerts = {"probability": 0.9, "outcome": None}
    await store_outcomes(pool, LIVE, *(Said(second=n, change=1.0, **alerts) for n in range(12)))
    await store_outcomes(pool, SHADOW, *(Said(second=n, change=3.0, **alerts) for n in range(12)))
    shadow, live = [await active_models.get(pool, active_id) for active_id in (SHADOW, LIVE)]
    assert shadow is not None
    assert live is not None
    challenge = await look(pool, shadow, live)
    assert (challenge.ready, challenge.lead, challenge.challenger.outcomes) == (True, 2.0, 0)
    pair = _Pair(line="pumps", shadow=shadow, live=live)
    await change_settings(pool, LIVE, ChangeSettings(alert_threshold=0.95), by="test")
    version = "SELECT array_agg(models_version) FROM worker_positions"
    before = await pool.fetchval(version)
    assert not await _promote_unchanged(pool, pair, challenge)
    # Nothing changed: no worker has to start over.
    assert await pool.fetchval(version) == before
    await change_settings(pool, LIVE, ChangeSettings(alert_threshold=None), by="test")
    await promote_due(pool, configured)
    assert await live_ids(pool) == [SHADOW]


async def test_shadow_when_it_is_better_then_the_running_worker_promotes_it(
    api: Api, configured: PredictionSettings, pool: Pool, connection: Connection, tmp_path: Path
):
    await have_a_line(pool, tmp_path, metric="brier", margin=0.04, min_outcomes=200)
    await store_outcomes(pool, LIVE, *answers(100, 50))
    await store_outcomes(pool, SHADOW, *answers(100, 60))
    async with running_worker(configured):
        await until(connection, "SELECT count(*) FROM model_promotions WHERE made_by = 'auto'", expected=1)
    assert await live_ids(pool) == [SHADOW]


async def test_challenge_when_there_is_none_then_it_says_what_to_do(
    api: Api, configured: PredictionSettings, pool: Pool, tmp_path: Path
):
    await have_a_line(pool, tmp_path)
    _, shown = await api.get("/api/models/2/challenge")
    assert (shown["missing"], shown["pairs"], shown["live_active_model_id"]) == (["auto_promotion is not set"], 0, 1)
    assert shown["challenger"]["precision"] is None
    assert (await api.get("/api/models/1/challenge"))[0] == 409
    assert (await api.get("/api/models/9/challenge"))[0] == 404
    await deactivate(pool, LIVE)
    await promote_due(pool, configured)
    _, shown = await api.get("/api/models/2/challenge")
    assert (shown["ready"], shown["live_active_model_id"], shown["challenger"]) == (False, None, None)
    assert "has no live model" in shown["missing"][0]
    await change_settings(pool, SHADOW, ChangeSettings(line=None), by="test")
    assert (await api.get("/api/models/2/challenge"))[0] == 409
