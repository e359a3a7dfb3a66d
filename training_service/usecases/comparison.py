"""What a comparison says: figures of each model on the shared rows, differences with intervals, and who wins."""

import itertools
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np

from shared.features import Notice
from shared.labels import Target, TimeTarget
from shared.scoring import precision_recall_curve, roc_curve
from training_service.ml.bootstrap import LEVEL
from training_service.ml.compare import (
    EXPECTED,
    MEASURES,
    RANKED,
    Contender,
    Difference,
    cut_blocks,
    cut_coins,
    difference,
    draw,
    estimate,
    find_winner,
    wider,
)
from training_service.ml.figures import counts_and_shares, curve_of, measure
from training_service.ml.model import days_of
from training_service.ml.returns import Costs, returns_of
from training_service.ml.scored import Scored
from training_service.usecases.measured_model import Opened

SEED = 42
POINTS = 60
RULE = (
    "The model with the highest average precision on the rows all models share wins, when the 95 % interval of its "
    "lead over every other lies above 0; the intervals come from paired draws of blocks of time, and of coins: the "
    "wider one counts. Models that answer different questions have no winner."
)
_SCARCE = 0.5
_OTHER_QUESTION = "the two answer different questions"


@dataclass(frozen=True, slots=True, kw_only=True)
class Entrant:
    """One of the models."""

    opened: Opened
    rows: int
    """Rows of the window whose answer to it is known."""
    scored: Scored
    """What it said of the rows that all models scored, with answers where all have one."""
    overlap_note: str | None

    @property
    def name(self) -> str:
        """Give the words it is called by."""
        return f"model {self.opened.model.model_id} {self.opened.model.name!r}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """How it ended."""

    winner_id: int | None
    results: dict[str, Any]
    notices: tuple[Notice, ...]


def rank_models(entrants: Sequence[Entrant]) -> Outcome:
    """Compare models on the rows they share, at least one answered; all of them with the costs of the first.

    Expected value and alerts are those of all shared rows, answered or not: that is what each of them would bring.
    """
    costs = entrants[0].opened.costs
    questions = [_question(one.opened.question.target) for one in entrants]
    is_one_question = all(question == questions[0] for question in questions)
    contenders = [_contender(one, costs) for one in entrants]
    timestamp = entrants[0].scored.timestamp
    horizon_us = max(one.opened.question.horizon_us for one in entrants)
    blocks = cut_blocks(timestamp, horizon_us=horizon_us, random_state=SEED)
    coins = cut_coins(entrants[0].scored.coin, random_state=SEED)
    values = [estimate(one) for one in contenders]
    drawn = [
        (groups, kind, groups.count_of(contenders[0].answered), [draw(one, groups) for one in contenders])
        for groups, kind in ((blocks, "blocks of time"), (coins, "coins"))
    ]

    def lead(first: int, second: int, name: str) -> Difference:
        if name in RANKED and questions[first] != questions[second]:
            return Difference(difference=None, note=_OTHER_QUESTION)
        in_time, of_coins = (
            difference(
                (values[first][name], draws[first][name]),
                (values[second][name], draws[second][name]),
                blocks=groups.count if name == EXPECTED else answered,
                of=kind,
            )
            for groups, kind, answered, draws in drawn
        )
        return wider(in_time, of_coins)

    numbers = range(len(entrants))
    winner, rival = None, None
    if is_one_question:
        leads = [[lead(first, second, RANKED[0]) for second in numbers] for first in numbers]
        winner, rival = find_winner([value[RANKED[0]] for value in values], leads)
    sentence = _sentence(entrants, [value[RANKED[0]] for value in values], is_one_question, winner, rival, lead)
    model_ids = [one.opened.model.model_id for one in entrants]
    results = {
        "rule": RULE,
        "sentence": sentence,
        "shared": _shared(entrants[0].scored),
        "intervals": {
            "level": LEVEL,
            "rounds": len(blocks.weights),
            "blocks": blocks.count,
            "block_minutes": blocks.minutes,
            "coin_groups": coins.count,
        },
        "costs": asdict(costs),
        "models": [_figures(one, costs) for one in entrants],
        "differences": [
            {
                "model_a_id": model_ids[first],
                "model_b_id": model_ids[second],
                **{name: asdict(lead(first, second, name)) for name in MEASURES},
            }
            for first, second in itertools.combinations(numbers, 2)
        ],
    }
    winner_id = None if winner is None else model_ids[winner]
    return Outcome(winner_id=winner_id, results=results, notices=tuple(_notices(entrants, is_one_question)))


def _contender(entrant: Entrant, costs: Costs) -> Contender:
    scored, target = entrant.scored, entrant.opened.question.target
    told = scored.answered()
    return Contender(
        probabilities=told.probabilities,
        answers=told.answers,
        answered=np.flatnonzero(scored.is_answered),
        alerts=scored.probabilities >= entrant.opened.manifest.alert_threshold,
        returns_pct=returns_of(scored.change_pct, scored.reserves_sol, target=target, costs=costs),
    )


def _question(target: Target) -> Target:
    """Give what is asked: on rows that both readings resolve, both give the same answer."""
    return replace(target, label_resolution="recording") if isinstance(target, TimeTarget) else target


def _shared(scored: Scored) -> dict[str, Any]:
    return {
        "rows": int(np.count_nonzero(scored.is_answered)),
        "scored_rows": len(scored),
        "coins": len(np.unique(scored.coin)),
        "days": days_of(scored.timestamp),
    }


def _figures(entrant: Entrant, costs: Costs) -> dict[str, Any]:
    opened, scored = entrant.opened, entrant.scored
    manifest = opened.manifest
    figures = measure(
        scored,
        decision_threshold=manifest.decision_threshold,
        alert_threshold=manifest.alert_threshold,
        target=opened.question.target,
        costs=costs,
        random_state=SEED,
    )
    returns = returns_of(scored.change_pct, scored.reserves_sol, target=opened.question.target, costs=costs)
    told = figures.to_metrics()
    curve = curve_of(scored, returns_pct=returns, points=POINTS)
    answered = scored.answered()
    ranked = precision_recall_curve(answered.probabilities, answered.answers, points=POINTS)
    rates = roc_curve(answered.probabilities, answered.answers, points=POINTS)
    return {
        "model_id": opened.model.model_id,
        "name": opened.model.name,
        "model_type": manifest.model_type,
        "target": manifest.target.model_dump(mode="json"),
        "own_rows": entrant.rows,
        "overlap_note": entrant.overlap_note,
        "decision_threshold": manifest.decision_threshold,
        "alert_threshold": manifest.alert_threshold,
        "roc_auc": figures.roc_auc,
        "expected_value_pct": figures.expected_value_pct,
        "simulated_profit_pct": figures.simulated_profit_pct,
        **{
            name: told[name]
            for name in (
                "base_rate", "average_precision", "brier", "brier_uncalibrated", "log_loss", "alerts", "alerts_per_day",
                "money", "calibration_bins",
            )
        },
        "at_decision_threshold": counts_and_shares(figures.decision),
        "at_alert_threshold": counts_and_shares(figures.alert),
        "threshold_curve": [asdict(point) for point in curve],
        "precision_recall_curve": [asdict(point) for point in ranked],
        "roc_curve": [asdict(point) for point in rates],
    }  # fmt: skip


def _sentence(
    entrants: Sequence[Entrant], values: Sequence[float | None], is_one_question: bool, winner: int | None,
    rival: int | None, lead: Any,
) -> str:  # fmt: skip
    rows = f"{np.count_nonzero(entrants[0].scored.is_answered)} shared rows"
    if not is_one_question:
        return "no winner: the models answer different questions, which average precision cannot rank"
    if winner is not None:
        said = f"{entrants[winner].name} wins: average precision {values[winner]:.4f} on {rows}, above every other"
        note = entrants[winner].overlap_note
        return said if note is None else f"{said}; but it was trained on rows that reach into the window"
    if rival is None:
        return f"no winner: the {rows} hold no positive one, so average precision has no value"
    best = int(np.argmax([value or 0.0 for value in values]))
    found = lead(best, rival, RANKED[0])
    between = (
        found.note if found.low is None else f"the 95 % interval of the lead is {found.low:.4f} to {found.high:.4f}"
    )
    return (
        f"no winner: {entrants[best].name} has the highest average precision on {rows} ({values[best]:.4f}), but is "
        f"not proved better than {entrants[rival].name} ({values[rival]:.4f}): {between}"
    )


def _notices(entrants: Sequence[Entrant], is_one_question: bool) -> list[Notice]:
    notices = []
    if not is_one_question:
        message = "the models answer different questions: only what trades would have earned is compared"
        notices.append(Notice(code="different_targets", message=message))
    if any(one.opened.costs != entrants[0].opened.costs for one in entrants):
        message = f"the models were asked for with different costs: those of {entrants[0].name} are taken for all"
        notices.append(Notice(code="different_costs", message=message))
    shared, most = int(np.count_nonzero(entrants[0].scored.is_answered)), max(entrants, key=lambda one: one.rows)
    if shared < _SCARCE * most.rows:
        message = (
            f"the models share {shared} of the {most.rows} rows that {most.name} answers: the rest is not compared"
        )
        notices.append(Notice(code="few_shared_rows", message=message))
    notices.extend(
        Notice(code="overlap", message=f"{one.name}: {one.overlap_note}")
        for one in entrants
        if one.overlap_note is not None
    )
    return notices
