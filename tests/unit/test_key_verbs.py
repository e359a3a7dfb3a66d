"""The verbs of `pumpcast keys`: what they make opens what it should, nothing else does, and nobody else reads it."""

import json
import os
import stat
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from psycopg.conninfo import conninfo_to_dict
from starlette.datastructures import Headers
from typer.testing import CliRunner

from pumpcast.keys import keys
from shared.errors import PumpcastError
from shared.settings import comma_list, read_settings
from shared.web.keys import find_key, parse_keys
from training_service.settings import TrainingSettings

OWNER = "postgresql://me:se%40cret@db.example:5433/pumpcast?sslmode=disable"
FILES = {
    "owner/db_dsn", "training/db_dsn", "training/api_keys", "training/artifact_signing_key", "prediction/db_dsn",
    "prediction/api_keys", "prediction/training_service_api_key", "prediction/artifact_public_key", "ui/api_keys",
    "prometheus/token",
}  # fmt: skip


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("API_KEYS", raising=False)


def run(*arguments: str) -> Any:
    """Run a verb with --json; what refuses is raised."""
    outcome = CliRunner().invoke(keys, [*arguments, "--json"])
    if outcome.exception is not None:
        raise outcome.exception
    return json.loads(outcome.stdout)


def refused(*arguments: str) -> str:
    with pytest.raises(PumpcastError) as error:
        run(*arguments)
    return error.value.message


def install() -> Any:
    return run("install", "secrets", "--database", OWNER)


def contents() -> dict[str, str]:
    return {str(path.relative_to("secrets")): path.read_text() for path in Path("secrets").rglob("*") if path.is_file()}


def opened_by(key: str, file: str) -> str | None:
    entries = parse_keys(comma_list(Path("secrets", file).read_text()))
    found = find_key(entries, Headers({"x-api-key": key}))
    return found and f"{found.name}:{found.scope}"


def test_new_when_asked_then_its_entry_opens_for_the_key_alone():
    made = run("new", "alice", "--scope", "write")
    entries = parse_keys((made["entry"],))
    assert find_key(entries, Headers({"authorization": f"Bearer {made['key']}"})).name == "alice"
    assert find_key(entries, Headers({"x-api-key": made["key"][:-1]})) is None
    assert made["key"] not in made["entry"]
    assert run("new", "alice", "--scope", "write")["key"] != made["key"]


@pytest.mark.parametrize("name", ["", "a b", "a:b", "a,b", "local", "AUTO", "x" * 65, "ä"])
def test_new_when_the_name_is_bad_then_it_is_refused(name: str):
    assert "name" in refused("new", name, "--scope", "read")


def test_new_when_the_name_is_taken_then_only_a_second_key_is_made(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("API_KEYS", run("new", "alice", "--scope", "read")["entry"])
    assert "--second" in refused("new", "alice", "--scope", "read")
    assert run("new", "alice", "--scope", "read", "--second")["name"] == "alice"


def test_signing_when_asked_then_the_pair_belongs_together():
    made = run("signing")
    private = Ed25519PrivateKey.from_private_bytes(bytes.fromhex(made["artifact_signing_key"]))
    assert private.public_key().public_bytes_raw().hex() == made["artifact_public_key"]


def test_install_when_run_then_every_file_opens_what_it_should():
    made = install()
    assert set(made["made"]) == set(contents()) == FILES
    for path in Path("secrets").rglob("*"):
        assert stat.S_IMODE(path.stat().st_mode) == (0o700 if path.is_dir() else 0o600)
    operator = made["operator_key"]
    assert {opened_by(operator, f"{part}/api_keys") for part in ("training", "prediction", "ui")} == {"operator:write"}
    known = {name: text.strip() for name, text in contents().items()}
    assert opened_by(known["prediction/training_service_api_key"], "training/api_keys") == "prediction:service"
    assert opened_by(known["prometheus/token"], "prediction/api_keys") == "prometheus:service"
    assert opened_by(known["prediction/training_service_api_key"], "prediction/api_keys") is None
    assert operator not in "".join(known.values())
    for service in ("training", "prediction"):
        found = conninfo_to_dict(known[f"{service}/db_dsn"])
        assert found.pop("user") == f"pumpcast_{service}"
        assert len(found.pop("password")) > 40
        assert found == {"host": "db.example", "port": "5433", "dbname": "pumpcast", "sslmode": "disable"}


def test_install_when_run_again_then_nothing_changes_and_it_says_so():
    install()
    before = contents()
    assert install() == {"folder": "secrets", "made": [], "operator_key": None}
    assert contents() == before


@pytest.mark.parametrize("lost", sorted(FILES - {"owner/db_dsn"}))
def test_install_when_a_file_is_lost_then_it_is_made_again_to_fit_the_others(lost: str):
    install()
    kept = {name: text for name, text in contents().items() if name != lost}
    Path("secrets", lost).unlink()
    install()
    known = {name: text.strip() for name, text in contents().items()}
    assert opened_by(known["prediction/training_service_api_key"], "training/api_keys") == "prediction:service"
    assert opened_by(known["prometheus/token"], "training/api_keys") == "prometheus:service"
    assert all(known[name].startswith(text.strip()) for name, text in kept.items() if "artifact" not in name)


def test_install_when_the_services_read_it_then_their_settings_are_there(monkeypatch: pytest.MonkeyPatch):
    install()
    monkeypatch.setenv("SECRETS_DIR", "secrets/training")
    for name in ("DB_DSN", "ARTIFACT_SIGNING_KEY"):
        monkeypatch.delenv(name, raising=False)
    found = read_settings(TrainingSettings)
    assert found.db_dsn == Path("secrets/training/db_dsn").read_text().strip()
    assert len(parse_keys(found.api_keys)) == 3
    assert len(found.artifact_signing_key) == 64


@pytest.mark.parametrize(
    "dsn", ["", "nonsense", "host=h user=u dbname=d", "postgresql://h/d", "postgresql://u@h", "mysql://u:p@h/d",
            "postgresql://pumpcast_training:p@h/d", "postgresql://h/d?user=u"],
)  # fmt: skip
def test_install_when_the_address_is_no_owners_then_it_is_refused_and_nothing_is_made(dsn: str):
    assert "--database" in refused("install", "secrets", "--database", dsn)
    assert not Path("secrets").exists()


def test_install_when_it_is_for_another_database_then_it_is_refused():
    install()
    before = contents()
    assert "another address" in refused("install", "secrets", "--database", OWNER.replace("db.example", "other"))
    assert contents() == before


def test_install_when_the_folder_cannot_be_written_then_it_says_so():
    Path("secrets").write_text("a file")
    assert "cannot be" in refused("install", "secrets", "--database", OWNER)


def test_rotation_when_done_then_both_open_until_the_old_is_dropped():
    old = install()["operator_key"]
    new = run("rotate", "secrets", "operator")["key"]
    for part in ("training", "prediction", "ui"):
        assert opened_by(old, f"{part}/api_keys") == opened_by(new, f"{part}/api_keys") == "operator:write"
    assert "two keys" in refused("rotate", "secrets", "operator")
    assert run("drop", "secrets", "operator", "--old")["entries"] == 3
    for part in ("training", "prediction", "ui"):
        assert (opened_by(old, f"{part}/api_keys"), opened_by(new, f"{part}/api_keys")) == (None, "operator:write")
    assert "one key alone" in refused("drop", "secrets", "operator", "--old")
    assert install()["made"] == []


def test_rotation_when_the_key_is_a_programs_then_its_file_holds_the_new_one():
    install()
    old = contents()["prometheus/token"].strip()
    told = run("rotate", "secrets", "prometheus")
    new = contents()["prometheus/token"].strip()
    assert told["key"] is None
    assert set(told["changed"]) == {"training/api_keys", "prediction/api_keys", "prometheus/token"}
    assert opened_by(old, "training/api_keys") == opened_by(new, "training/api_keys") == "prometheus:service"
    run("drop", "secrets", "prometheus", "--old")
    assert (opened_by(old, "prediction/api_keys"), opened_by(new, "prediction/api_keys")) == (
        None,
        "prometheus:service",
    )
    assert install()["made"] == []


def test_rotation_when_a_group_may_read_the_file_then_it_still_may():
    install()
    token = Path("secrets/prometheus/token")
    token.chmod(0o640)
    group = 12345 if os.geteuid() == 0 else os.getegid()
    os.chown(token, -1, group)
    run("rotate", "secrets", "prometheus")
    found = token.stat()
    assert (stat.S_IMODE(found.st_mode), found.st_gid) == (0o640, group)


def test_install_when_the_operator_has_a_key_already_then_it_says_how_to_get_another():
    install()
    Path("secrets/ui/api_keys").unlink()
    said = CliRunner().invoke(keys, ["install", "secrets", "--database", OWNER]).stdout
    assert "Made ui/api_keys" in said
    assert "keys rotate secrets operator" in said


def test_drop_when_the_last_key_would_go_then_it_is_refused_and_nothing_changes():
    install()
    before = contents()
    assert "without a key" in refused("drop", "secrets", "operator")
    assert contents() == before


def test_names_when_unknown_then_those_that_are_there_are_named():
    assert "no folder" in refused("rotate", "secrets", "operator")
    install()
    assert "operator, prediction, prometheus" in refused("rotate", "secrets", "nobody")


def test_entries_when_a_file_is_broken_then_it_is_named_and_its_text_is_not():
    install()
    Path("secrets/ui/api_keys").write_text("sesame")
    said = refused("rotate", "secrets", "operator")
    assert "ui/api_keys" in said
    assert "sesame" not in said


def test_secret_when_the_write_is_cut_then_the_old_file_stays(monkeypatch: pytest.MonkeyPatch):
    install()
    before = contents()

    def cut(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", cut)
    assert "No space left" in refused("rotate", "secrets", "operator")
    assert contents() == before
