"""Asks a furnished stage every request of `api_requests` and keeps what was asked and answered."""

import http.client
import json
import re
import socket
import sys
import tempfile
from pathlib import Path
from typing import Any, Final
from urllib.parse import quote

from prediction_service.runtime.packages import demo
from shared.web.examples import FOLDER
from tests.support import stage_scene
from tests.support.api_requests import ASKS, Ask
from tests.support.database import remove, test_server
from tests.support.memory import memory
from tests.support.stage import Stage, stage
from tests.support.stage_market import Market, load_history, market

FIRST_PROBLEM: Final = 400
NOBODY: Final = 987_654
BOUNDARY: Final = "--------pumpcast"
LONGEST_LIST: Final = 2
LONGEST_TEXT: Final = 900
DEMO: Final = Path(demo.__file__).parent
Examples = dict[str, dict[str, dict[str, Any]]]


def capture() -> None:
    """Bring up a stage, ask it everything, write the files."""
    folder = Path(tempfile.mkdtemp(prefix="pumpcast-api-", dir=memory()))
    shown = market(
        history_minutes=stage_scene.HISTORY_MINUTES, later_minutes=stage_scene.LATER_MINUTES, coins_per_minute=2
    )
    try:
        with (
            tempfile.TemporaryDirectory(prefix="pumpcast-api-") as home,
            test_server(folder) as server,
            server.fresh() as name,
            stage_scene.answering() as receiver,
        ):
            load_history(server.dsn(name), shown, bars=stage_scene.CANDLES)
            with stage(Path(home), server.dsn(name)) as running:
                stage_scene.furnish(running, shown, receiver)
                examples = ask_all(running, {"receiver": receiver, **_known(running, shown)})
                _write(examples, running, receiver)
    finally:
        remove(folder)


def ask_all(running: Stage, known: dict[str, Any]) -> Examples:
    """Give what each route was asked and answered, and problems it answers with."""
    examples: Examples = {"training": {}, "prediction": {}}
    faults: list[str] = []
    for ask in ASKS:
        found = examples[ask.service].setdefault(ask.route, {"problems": {}})
        target, body = _target(ask, known), _filled(ask.body, known)
        if ask.path:
            _keep_problem(running, ask, found, _target(ask, known, strange=True), body)
        if ask.body is not None:
            _keep_problem(running, ask, found, target, {name: {"no": "such"} for name in list(ask.body)[:1]})
        status, kind, answer = send(running, ask.service, ask.route.split()[0], target, body, upload=ask.is_upload)
        if (status >= FIRST_PROBLEM) != (ask.status >= FIRST_PROBLEM):
            faults.append(f"{ask.route} {target} answers {status}: {answer[:500]!r}")
            continue
        if status >= FIRST_PROBLEM:
            found["problems"][json.loads(answer)["code"]] = json.loads(answer)
            continue
        given = _short(json.loads(answer)) if kind == "application/json" and answer else _plain(kind, answer)
        found["request"] = {"target": target} | ({} if body is None else {"body": body})
        found["response"] = {"status": status, "type": kind} | ({} if given is None else {"body": given})
        for name, wanted in ask.keep.items():
            known[name] = json.loads(answer)[wanted]
    if faults:
        sys.exit("\n".join(faults))
    return examples


def send(
    running: Stage, service: str, method: str, target: str, body: Any = None, *, upload: bool = False
) -> tuple[int, str, bytes]:
    """Ask a service; give status, media type and bytes."""
    connection = http.client.HTTPConnection("127.0.0.1", running.ports[f"{service}-api"], timeout=60)
    headers = {"X-Request-ID": "shown-by-the-answer", "Content-Type": "application/json"}
    given = None if body is None else json.dumps(body).encode()
    if upload:
        headers["Content-Type"] = f"multipart/form-data; boundary={BOUNDARY}"
        given = _form()
    try:
        connection.request(method, target, given, headers)
        answer = connection.getresponse()
        return answer.status, (answer.getheader("Content-Type") or "").partition(";")[0], answer.read()
    finally:
        connection.close()


def _keep_problem(running: Stage, ask: Ask, found: dict[str, Any], target: str, body: Any) -> None:
    status, _, answer = send(running, ask.service, ask.route.split()[0], target, body)
    if status >= FIRST_PROBLEM:
        told = json.loads(answer)
        found["problems"].setdefault(told["code"], told)


def _known(running: Stage, shown: Market) -> dict[str, Any]:
    known = stage_scene.known(running)
    jobs = running.ask("training", "GET", "/queue?status=COMPLETED&limit=100")["jobs"]
    models = sorted({job["result_model_id"] for job in jobs if job["job_type"] == "TRAIN"})
    tuned = next(job["result_model_id"] for job in jobs if job["job_type"] == "TUNE")
    active = running.ask("prediction", "GET", "/models/active")["models"]
    deliveries = running.ask("prediction", "GET", "/webhook-deliveries?status=delivered&limit=1")["deliveries"]
    pump = {one["mode"]: one["id"] for one in active if one["line"] == "pump"}
    times = shown.later(stage_scene.HORIZON_MINUTES + 1).column("timestamp")
    return {
        "model": known.model, "other_model": models[1], "tuned_model": tuned, "job": known.job, "test": known.test,
        "comparison": known.comparison, "active": pump["live"], "shadow": pump["shadow"], "endpoint": known.endpoint,
        "prediction": known.prediction, "coin": known.coin, "delivery": deliveries[0]["id"],
        "train_start": shown.start.isoformat(), "train_end": shown.now.isoformat(),
        "test_start": times[0].as_py().isoformat(), "test_end": times[-1].as_py().isoformat(),
    }  # fmt: skip


def _target(ask: Ask, known: dict[str, Any], *, strange: bool = False) -> str:
    path = ask.route.split(" ", 1)[1]
    for name, value in ask.path.items():
        filled = _filled(value, known)
        if strange:
            filled = NOBODY if isinstance(filled, int) else "nobody"
        path = path.replace(f"{{{name}}}", quote(str(filled), safe=""))
    return f"{path}?{ask.query}" if ask.query else path


def _filled(value: Any, known: dict[str, Any]) -> Any:
    match value:
        case str():
            if whole := re.fullmatch(r"\{(\w+)\}", value):
                return known[whole[1]]
            return value.format(**known) if "{" in value else value
        case list():
            return [_filled(one, known) for one in value]
        case dict():
            return {name: _filled(one, known) for name, one in value.items()}
    return value


def _short(value: Any) -> Any:
    match value:
        case list():
            most = LONGEST_LIST if value and not isinstance(value[0], dict | list) else 1
            return [_short(one) for one in value[:most]]
        case dict():
            return {name: _short(one) for name, one in value.items()}
    return value


def _plain(kind: str, answer: bytes) -> str | None:
    if not kind or kind == "application/zip":
        return None
    text = answer.decode()
    cut = text[:LONGEST_TEXT]
    return text if cut == text else cut[: cut.rfind("\n") + 1]


def _form() -> bytes:
    parts = [f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="name"\r\n\r\nMy first\r\n'.encode()]
    for name, file in (("forecast_model", "forecast_model.pt"), ("ppo_model", "ppo_policy.zip")):
        head = f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="{name}"; filename="{file}"\r\n\r\n'
        parts += [head.encode(), (DEMO / file).read_bytes(), b"\r\n"]
    return b"".join([*parts, f"--{BOUNDARY}--\r\n".encode()])


def _write(examples: Examples, running: Stage, receiver: str) -> None:
    FOLDER.mkdir(exist_ok=True)
    own = {
        str(running.home): "/srv/pumpcast", running.dsn: "postgresql://pumpcast@db/pumpcast", receiver: "https://bot.example",
        f'"{socket.gethostname()}:': '"host:',
        f"127.0.0.1:{running.ports['training-api']}": "127.0.0.1:8001",
        f"127.0.0.1:{running.ports['prediction-api']}": "127.0.0.1:8000",
    }  # fmt: skip
    for service, found in examples.items():
        text = json.dumps(found, indent=1, ensure_ascii=False)
        for mine, shown in own.items():
            text = text.replace(mine, shown)
        text = re.sub(r'"secret": "whsec_[^"]+"', '"secret": "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"', text)
        (FOLDER / f"{service}.json").write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    capture()
