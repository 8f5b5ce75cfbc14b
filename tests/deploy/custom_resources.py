"""Kinds that operators bring: checked by the schemas that a package registry has of them."""

import json
import shutil
import subprocess
from functools import cache
from pathlib import Path

from tests.deploy.rendered import TOOLS, Thing

PACKAGES = {
    "kafka.strimzi.io": "strimzi-kafka-operator",
    "monitoring.coreos.com": "prometheus-operator",
}
LOCKED = Path(__file__).parent / "crds"
UNCHECKED = {"ClickHouseInstallation", "ClickHouseKeeperInstallation"}
"""No registry has their schemas: they are checked by the operator alone, when they are applied."""
FETCH_SECONDS = 120
_CHECK = """
import { readFileSync } from "node:fs";
const { validate } = await import(process.argv[1]);
const isValid = validate(JSON.parse(readFileSync(0, "utf8")));
if (!isValid) { console.log(JSON.stringify(validate.errors)); process.exit(1); }
"""


def why_not() -> str:
    """Return why custom resources cannot be checked here, nothing if they can."""
    missing = [name for name in ("node", "npm") if shutil.which(name) is None]
    return f"no {' and no '.join(missing)} on this machine" if missing else ""


def problems(thing: Thing) -> str:
    """Return what its schema has against an object, nothing if it fits."""
    group, version = thing["apiVersion"].split("/")
    schemas = _installed() / PACKAGES[group] / "_schemas"
    found = list(schemas.glob(f"*{version.capitalize()}{thing['kind']}.js"))
    assert len(found) == 1, f"there is no {thing['apiVersion']} {thing['kind']}: {found}"
    command = ("node", "--input-type=module", "-e", _CHECK, str(found[0]))
    done = subprocess.run(
        command, input=json.dumps(thing), capture_output=True, text=True, check=False, timeout=60
    )
    assert done.returncode in {0, 1}, done.stderr
    assert done.stdout or done.returncode == 0, done.stderr
    return done.stdout.strip()


@cache
def _installed() -> Path:
    """Return where npm has put the packages of the lock file, which names their checksums."""
    folder = TOOLS / "crds"
    wanted = (LOCKED / "package-lock.json").read_text()
    lock = folder / "package-lock.json"
    if not (folder / "node_modules").is_dir() or lock.read_text() != wanted:
        shutil.rmtree(folder, ignore_errors=True)
        shutil.copytree(LOCKED, folder)
        command = ("npm", "ci", "--silent", "--ignore-scripts", "--no-audit", "--no-fund")
        subprocess.run(command, cwd=folder, check=True, capture_output=True, timeout=FETCH_SECONDS)
    return folder / "node_modules" / "@kubernetes-models"
