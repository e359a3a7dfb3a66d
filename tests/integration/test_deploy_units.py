"""Units of systemd: what systemd itself, the settings and the folder of keys say of them."""

import shutil
import subprocess
import tomllib
from pathlib import Path

import pytest

from prediction_service.settings import PredictionSettings
from pumpcast.key_folder import KeyFolder
from streamlit_ui.settings import AppSettings
from tests.support.images import ROOT
from training_service.settings import TrainingSettings

UNITS = ROOT / "deploy" / "systemd"
SERVICES = sorted(UNITS.glob("pumpcast-*.service"))
SETTINGS = {
    "pumpcast-training": TrainingSettings,
    "pumpcast-prediction": PredictionSettings,
    "pumpcast-ui": AppSettings,
}
SECRETS = "/etc/pumpcast/secrets"
EXPOSED = 20
"""What systemd rates as safe, in tenths."""


def values(unit: Path, section: str, name: str) -> list[str]:
    """Give all values of a name, which units may repeat."""
    text = unit.read_text(encoding="utf-8")
    inside = text.partition(f"[{section}]\n")[2].partition("\n[")[0]
    return [line.partition("=")[2] for line in inside.splitlines() if line.startswith(f"{name}=")]


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Give a root with the units and what they name."""
    place = tmp_path / "etc" / "systemd" / "system"
    shutil.copytree(UNITS, place)
    system = Path("/usr/lib/systemd/system")
    shutil.copytree(system, tmp_path / system.relative_to("/"), symlinks=True)
    scripts = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["scripts"]
    for program in (*(f"/opt/pumpcast/bin/{name}" for name in scripts), "/bin/sh", "/usr/bin/find"):
        path = tmp_path / program.lstrip("/")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("#!/bin/sh\n")
        path.chmod(0o755)
    users = [line.split()[1] for line in (UNITS / "pumpcast.sysusers").read_text().splitlines() if line[:2] == "u "]
    lines = [f"{name}:x:{number}:{number}::/:/bin/false" for number, name in enumerate(["root", *users])]
    (tmp_path / "etc" / "passwd").write_text("\n".join(lines) + "\n")
    return tmp_path


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="needs systemd-analyze")
def test_units_when_systemd_reads_them_then_it_finds_no_fault_and_little_exposure(root: Path):
    names = [unit.name.replace("@.", "@1.") for unit in sorted(UNITS.glob("pumpcast*.*")) if unit.is_file()]
    units = [name for name in names if not name.endswith(".sysusers")]
    found = subprocess.run(
        ["systemd-analyze", "verify", f"--root={root}", "--man=no", *units], capture_output=True, text=True, check=False
    )
    assert (found.returncode, found.stdout + found.stderr) == (0, "")
    services = [name for name in units if name.endswith(".service")]
    rated = subprocess.run(
        ["systemd-analyze", "security", f"--root={root}", "--offline=yes", f"--threshold={EXPOSED}", *services],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert rated.returncode == 0, rated.stdout[-2000:]


@pytest.mark.parametrize("unit", SERVICES, ids=lambda unit: unit.stem)
def test_unit_when_started_then_program_user_and_secrets_are_there(unit: Path, tmp_path: Path):
    scripts = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["scripts"]
    (command,) = values(unit, "Service", "ExecStart")
    assert any(f"/opt/pumpcast/bin/{name}" in command for name in scripts)
    (user,) = values(unit, "Service", "User")
    if user == "root":
        return
    assert f"u {user} " in (UNITS / "pumpcast.sysusers").read_text()
    KeyFolder(tmp_path).install("postgresql://owner:secret@localhost:5432/pumpcast")
    own = user.removeprefix("pumpcast-")
    given = dict(one.split(":", 1) for one in values(unit, "Service", "LoadCredential"))
    # Each secret of this service is there under the name of its setting, and none of another service.
    assert given == {path.name: f"{SECRETS}/{own}/{path.name}" for path in (tmp_path / own).iterdir()}
    assert set(given) <= set(SETTINGS[user].model_fields)


def test_target_when_started_then_it_starts_every_service_that_stays():
    wanted = {one for line in values(UNITS / "pumpcast.target", "Unit", "Wants") for one in line.split()}
    staying = {unit.name.replace("@.", "@1.") for unit in SERVICES if "oneshot" not in values(unit, "Service", "Type")}
    assert wanted == staying
