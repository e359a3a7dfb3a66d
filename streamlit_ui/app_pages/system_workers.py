"""Workers and feeds, one line each, and which worker answers which part of the coins."""

from collections.abc import Sequence
from datetime import datetime

import pandas as pd
import streamlit as st

from shared.contracts.candle_feeds import CandleFeed
from shared.contracts.statistics import WorkerState
from streamlit_ui import formats
from streamlit_ui.app_pages.service_health import SHARDS, is_behind, is_dead
from streamlit_ui.charts.system import ShardWords, parts_of_coins
from streamlit_ui.session import t, zone
from streamlit_ui.states import empty
from streamlit_ui.tables import dataframe, moment_column


def draw(workers: Sequence[WorkerState], now: datetime) -> None:
    """Draw the workers of predictions."""
    st.subheader(t("system.workers_title"), help=t("system.workers_help", all=SHARDS))
    rows = shard_rows(workers, now)
    words = ShardWords(
        part=t("system.shard"), worker=t("system.worker"), state=t("system.state"),
        states=[t(f"system.shard_{state}") for state in ("good", "late", "dead")],
    )  # fmt: skip
    st.altair_chart(parts_of_coins(rows, words), alt=_alt(rows))
    if not workers:
        empty(t("system.no_worker_detail"), icon=":material/power_off:")
        return
    dataframe(
        pd.DataFrame(
            {
                "worker": [str(number) for number in range(1, len(workers) + 1)],
                "state": [_state(worker, now) for worker in workers],
                "shards": [spans(worker.shards) for worker in workers],
                "beat": [formats.age(worker.beat) for worker in workers],
                "listener": [_listener(worker) for worker in workers],
                "lag": [formats.number(worker.lag_seconds, 1, "s") for worker in workers],
                "coins": [worker.coins_in_memory for worker in workers],
                "trouble": [worker.trouble or formats.NOTHING for worker in workers],
            }
        ),
        hide_index=True,
        column_config={
            "worker": st.column_config.TextColumn(t("system.worker"), width=70),
            "state": st.column_config.TextColumn(t("system.state"), width=110),
            "shards": st.column_config.TextColumn(t("system.shards"), width=90),
            "beat": st.column_config.TextColumn(t("system.beat"), width=150),
            "listener": st.column_config.TextColumn(t("system.part_listener"), width=130),
            "lag": st.column_config.TextColumn(t("system.lag"), width=90),
            "coins": st.column_config.NumberColumn(t("system.coins"), format="localized", width=110),
            "trouble": st.column_config.TextColumn(t("system.trouble"), width="large"),
        },
    )


def draw_feeds(feeds: Sequence[CandleFeed]) -> None:
    """Draw the feeds of candles."""
    st.subheader(t("system.part_feeds"))
    dataframe(
        pd.DataFrame(
            {
                "feed": [feed.feed for feed in feeds],
                "state": [_feed_state(feed) for feed in feeds],
                "last": [feed.last_candle for feed in feeds],
                "said": [feed.error or feed.note or formats.NOTHING for feed in feeds],
            }
        ),
        hide_index=True,
        column_config={
            "feed": st.column_config.TextColumn(t("system.feed"), width="medium"),
            "state": st.column_config.TextColumn(t("system.state"), width=130),
            "last": moment_column(t("system.last_candle", clock=zone().key), seconds=False, width=170),
            "said": st.column_config.TextColumn(t("system.said"), width="large"),
        },
    )


def shard_rows(workers: Sequence[WorkerState], now: datetime) -> pd.DataFrame:
    """Give each part of the coins with the worker that answers it and how that is."""
    rows = []
    for shard in range(SHARDS):
        holders = [number for number, worker in enumerate(workers) if shard in worker.shards]
        # Until the silent one is forgotten, two may call a part theirs.
        alive = [number for number in holders if not is_dead(workers[number], now)]
        if not alive:
            rows.append((shard, formats.NOTHING, t("system.shard_dead"), "✗"))
        elif is_behind(workers[alive[0]]) or workers[alive[0]].trouble:
            rows.append((shard, str(alive[0] + 1), t("system.shard_late"), "!"))
        else:
            rows.append((shard, str(alive[0] + 1), t("system.shard_good"), "✓"))
    return pd.DataFrame(rows, columns=["shard", "worker", "state", "sign"])


def spans(numbers: Sequence[int]) -> str:
    """Write numbers shortly: 0–3, 6."""
    found: list[list[int]] = []
    for number in sorted(numbers):
        if found and number == found[-1][1] + 1:
            found[-1][1] = number
        else:
            found.append([number, number])
    return ", ".join(str(first) if first == last else f"{first}–{last}" for first, last in found) or formats.NOTHING


def _alt(rows: pd.DataFrame) -> str:
    return "; ".join(f"{row.shard}: {row.state}" for row in rows.itertuples())


def _state(worker: WorkerState, now: datetime) -> str:
    if is_dead(worker, now):
        return f"✗ {t('system.shard_dead')}"
    if worker.trouble or is_behind(worker):
        return f"! {t('system.shard_late')}"
    return f"✓ {t('system.shard_good')}"


def _listener(worker: WorkerState) -> str:
    if worker.listener == "listen":
        return f"✓ {t('system.listens')}"
    return f"! {t('system.polling')}" if worker.listener == "polling" else formats.NOTHING


def _feed_state(feed: CandleFeed) -> str:
    if feed.error:
        return f"✗ {t('system.feed_fails')}"
    return f"✓ {t('system.feed_follows')}" if feed.updated_at else f"… {t('system.feed_idle')}"
