"""The books of a soak: what every row, job, message and trade came to, and what is left over."""

import time
from collections import Counter
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import psutil
import psycopg

from tests.support.soak_receivers import Receivers
from tests.support.soak_rows import STALE_WALLETS
from tests.support.soak_stack import Stack

PENNY: Final = 1e-6
OLDEST_TRANSACTION_SECONDS: Final = 60
ORPHAN_SECONDS: Final = 20.0
_ROWS = """
WITH live AS (SELECT * FROM coin_metrics WHERE id > %(history)s),
keys AS (SELECT DISTINCT mint, timestamp FROM live WHERE unique_wallets <> %(stale)s),
said AS (SELECT coin_id, data_timestamp FROM predictions WHERE active_model_id = %(active)s)
SELECT
    (SELECT count(*) FROM live), (SELECT count(*) FROM keys),
    (SELECT count(*) FROM live WHERE unique_wallets = %(stale)s),
    (SELECT count(*) FROM said), (SELECT count(*) - count(DISTINCT (coin_id, data_timestamp)) FROM said),
    (SELECT count(*) FROM (SELECT * FROM keys EXCEPT SELECT * FROM said) AS missing),
    (SELECT count(*) FROM (SELECT * FROM said EXCEPT SELECT * FROM keys) AS strange)
"""
_JOBS = """
SELECT job.id, job.job_type, job.status, job.error_msg, job.result_model_id, job.result_test_id,
    job.result_comparison_id, (SELECT count(*) FROM ml_models WHERE job_id = job.id),
    (SELECT min(id) FROM ml_models WHERE job_id = job.id)
FROM ml_jobs AS job ORDER BY job.id
"""
_ACCOUNTS = """
SELECT account.id, account.balance - account.initial_balance
    - coalesce(sum(position.pnl) FILTER (WHERE position.status = 'CLOSED'), 0)
    + coalesce(sum(position.fees) FILTER (WHERE position.status = 'OPEN'), 0) AS astray,
    count(*) FILTER (WHERE position.status = 'OPEN') AS open, account.max_positions,
    coalesce(sum(position.size_usdt) FILTER (WHERE position.status = 'OPEN'), 0) AS exposure,
    account.max_exposure_pct / 100 * account.balance AS allowed, count(position.id) AS positions
FROM paper_accounts AS account
LEFT JOIN paper_positions AS position ON position.account_id = account.id AND position.round = account.round
GROUP BY account.id
"""
_SESSIONS = """
SELECT application_name, state, query FROM pg_stat_activity
WHERE datname = current_database() AND pid <> pg_backend_pid() AND backend_type = 'client backend'
"""
LEARNT_NOTHING: Final = "nothing was learnt"
"""What a job says of a model that gives every row the same probability."""


@dataclass(slots=True)
class Books:
    """Figures that are told, and what must not be."""

    figures: dict[str, Any]
    faults: list[str]

    def must(self, holds: object, otherwise: str) -> None:
        """Note what does not hold."""
        if not holds:
            self.faults.append(otherwise)


def open_ends(connection: psycopg.Connection[Any]) -> dict[str, int]:
    """Count what is not over yet."""
    query = (
        "SELECT (SELECT count(*) FROM ml_jobs WHERE status IN ('PENDING', 'RUNNING')),"
        " (SELECT count(*) FROM webhook_deliveries WHERE status = 'pending'),"
        " (SELECT count(*) FROM worker_positions"
        " WHERE name LIKE 'live-%' AND high < (SELECT max(id) FROM coin_metrics))"
    )
    found = connection.execute(query).fetchone()
    assert found is not None
    return {name: n for name, n in zip(("jobs", "deliveries", "shards"), found, strict=True) if n}


def settle(stack: Stack, *, seconds: float) -> dict[str, int]:
    """Wait until everything that was begun is over; give what is not."""
    deadline = time.monotonic() + seconds
    with psycopg.connect(stack.dsn, autocommit=True, application_name="soak") as connection:
        while (left := open_ends(connection)) and time.monotonic() < deadline:
            time.sleep(0.2)
    return left


def check_rows(books: Books, connection: psycopg.Connection[Any], *, history: int, steady: Sequence[int]) -> None:
    """Each model that was there all the time: one answer to each row, none to those that came too late."""
    for active in steady:
        asked = {"history": history, "stale": STALE_WALLETS, "active": active}
        found = connection.execute(_ROWS, asked).fetchone()
        assert found is not None
        rows, keys, stale, said, twice, missing, strange = found
        books.figures |= {"rows written": rows, "of them repeats": rows - keys - stale, "of them too late": stale}
        books.must(not twice, f"model {active} answered {twice} rows twice")
        books.must(not missing, f"model {active} did not answer {missing} rows")
        books.must(not strange, f"model {active} answered {strange} rows that it owed nothing")
        books.must(said == keys, f"model {active}: {said} answers to {keys} rows")


def check_service(books: Books, told: dict[str, Any]) -> None:
    """The service's own books, of models that came and went too."""
    own = told["books"]
    books.figures |= {"answers owed": own["owed"], "predictions": own["predictions"], "left out": own["skipped"]}
    books.must(own["balanced"], f"owed {own['owed']}, predictions {own['predictions']}, left out {own['skipped']}")


def check_jobs(books: Books, connection: psycopg.Connection[Any], accepted: dict[int, str]) -> None:
    """Each accepted job ended, with exactly one result where it succeeded."""
    jobs = {row[0]: row[1:] for row in connection.execute(_JOBS)}
    books.figures |= {
        "jobs accepted": len(accepted), "how jobs ended": dict(Counter(row[1] for row in jobs.values())),
    }  # fmt: skip
    books.must(not (lost := set(accepted) - set(jobs)), f"accepted jobs are not there any more: {sorted(lost)}")
    for number, (kind, status, error, model, test, comparison, made, made_id) in jobs.items():
        words = f"job {number} ({kind}) {status}"
        # A search of three trials may find only models that are none, and says so.
        is_honest = kind == "TUNE" and LEARNT_NOTHING in (error or "")
        books.must(status in {"COMPLETED", "CANCELLED"} or is_honest, f"{words}: {error}")
        books.must(made == (status == "COMPLETED" and kind in {"TRAIN", "TUNE"}), f"{words} made {made} models")
        books.must(made_id is None or made_id == model, f"{words} names model {model}, made {made_id}")
        result = {"TEST": test, "COMPARE": comparison}.get(kind, model)
        books.must((result is not None) == (status == "COMPLETED"), f"{words} has the result {result}")


def check_deliveries(
    books: Books, connection: psycopg.Connection[Any], taken: Receivers, endpoints: dict[str, int], *, all_of: int
) -> None:
    """Each message ended; what counts as delivered was taken, and nothing came that was never written."""
    statuses = Counter[str]()
    for path, endpoint in endpoints.items():
        query = "SELECT webhook_id, status FROM webhook_deliveries WHERE endpoint_id = %s"
        written = dict(connection.execute(query, (endpoint,)).fetchall())
        statuses.update(written.values())
        came = set(taken.taken[path])
        delivered = {one for one, status in written.items() if status == "delivered"}
        books.must(not (came - set(written)), f"{path} got {len(came - set(written))} messages that nobody wrote")
        books.must(delivered <= came, f"{len(delivered - came)} messages to {path} count as delivered and never came")
        books.must(path != "failing" or not delivered, f"{path} took {len(delivered)} messages")
        books.must(path == "failing" or delivered, f"nothing was ever delivered to {path}")
        books.must(path != "good" or delivered == set(written), f"{len(written) - len(delivered)} never came to {path}")
    query = (
        "SELECT count(*) FROM predictions AS said WHERE active_model_id = %s AND NOT EXISTS ("
        " SELECT FROM webhook_deliveries AS message WHERE endpoint_id = %s"
        " AND message.coin_id = said.coin_id AND message.data_timestamp = said.data_timestamp)"
    )
    (unsent,) = connection.execute(query, (all_of, endpoints["good"])).fetchone() or (0,)
    books.must(not unsent, f"{unsent} predictions have no message to the good receiver")
    books.faults += taken.troubles
    books.figures |= {"messages": dict(statuses), "messages that came twice, with one id": taken.repeated}


def check_paper(books: Books, connection: psycopg.Connection[Any]) -> None:
    """Each account: its balance is what its positions say, and no limit is exceeded."""
    for name, astray, held, most, exposure, allowed, positions in connection.execute(_ACCOUNTS):
        books.figures["paper positions"] = positions
        books.must(abs(astray) < PENNY, f"{name} is {astray} USDT astray of its positions")
        books.must(held <= most, f"{name} holds {held} positions of {most}")
        # Equity, which the limit is of, moves after a position was opened.
        books.must(exposure <= allowed * 1.05, f"{name} is exposed with {exposure} of {allowed} USDT")


def check_files(books: Books, connection: psycopg.Connection[Any], folder: Path) -> None:
    """No file without a row, no row without its file, nothing half written."""
    for service, query in (
        ("training", "SELECT model_file_path FROM ml_models"),
        ("prediction", "SELECT local_model_path FROM prediction_active_models"),
    ):
        files = {str(path) for path in (folder / "home" / "models" / service).rglob("*") if path.is_file()}
        known = {row[0] for row in connection.execute(query)}
        books.figures[f"model files, {service}"] = len(files)
        if service == "prediction":
            # A worker that starts while a model is deleted may fetch its file once more: a later sweep takes it.
            books.figures["model files, waiting for the sweep"] = len(files - known)
        else:
            books.must(files <= known, f"{service} leaves {sorted(files - known)}")
        books.must(known <= files, f"{service} misses {sorted(known - files)}")
    packages = folder / "home" / "packages" / ".incoming"
    books.must(not packages.exists() or not any(packages.iterdir()), "uploads are left over")


def check_left_behind(books: Books, stack: Stack) -> None:
    """After the end of all processes: no session, no lock, no process, no temporary file."""
    with psycopg.connect(stack.dsn, autocommit=True, application_name="soak") as connection:
        sessions = connection.execute(_SESSIONS).fetchall()
        locks = connection.execute("SELECT * FROM pg_locks WHERE locktype = 'advisory'").fetchall()
    books.must(not sessions, f"sessions are left over: {sessions}")
    books.must(not locks, f"advisory locks are left over: {locks}")
    left = sorted(path.name for path in (stack.folder / "tmp").iterdir())
    books.must(not left, f"temporary files are left over: {left}")
    books.must(not (alive := _left_alive(stack)), f"processes are left over: {alive}")


def check_idle(books: Books, connection: psycopg.Connection[Any]) -> None:
    """At rest: no transaction stays open."""
    query = (
        "SELECT application_name, state, query FROM pg_stat_activity WHERE datname = current_database()"
        " AND xact_start < now() - make_interval(secs => %s)"
    )
    found = connection.execute(query, (OLDEST_TRANSACTION_SECONDS,)).fetchall()
    books.must(not found, f"transactions stay open: {found}")


def _left_alive(stack: Stack) -> list[str]:
    """Give the processes that go on; one whose parent was killed hears of it, but may be just starting."""
    alive = [one for one in psutil.process_iter() if _home_of(one) == str(stack.folder / "home")]
    _, left = psutil.wait_procs(alive, timeout=ORPHAN_SECONDS)
    found = []
    for one in left:
        with suppress(psutil.Error):
            found.append(f"{one.pid} {' '.join(one.cmdline())}, child of {one.ppid()}")
    return found


def _home_of(process: psutil.Process) -> str | None:
    try:
        # The server was started again by a process of that home, and ends later.
        return None if process.name() == "postgres" else process.environ().get("PUMPCAST_HOME")
    except psutil.Error:
        return None
