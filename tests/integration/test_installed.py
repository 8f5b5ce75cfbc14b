"""The package works where it is installed, without the checkout that it was built from."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from libs.events.topics import TOPICS
from libs.runtime.version import VERSION

ROOT = Path(__file__).parents[2]
PACKAGES = ("alphastocks", "libs", "services")
READ_ALL = f"""
import importlib, pkgutil, sys
from pathlib import Path

for package in map(importlib.import_module, {PACKAGES}):
    for found in pkgutil.walk_packages(package.__path__, package.__name__ + "."):
        importlib.import_module(found.name)
from libs.events.codec import SCHEMAS
from libs.events.publish_schemas import FOLDER
from libs.market import packaged
from libs.runtime.settings import load_settings
from libs.servers.kafka.jars import kafka_version
from services.local.play.database import migrations
from services.local.settings import LocalSettings

assert load_settings(LocalSettings, None) == LocalSettings()
tables = [path.name for path in (Path(packaged.__file__).parent / "data").iterdir()]
assert tables and all(packaged.load_table(name) for name in tables)
assert migrations() and kafka_version() and any(FOLDER.iterdir()) and any(SCHEMAS.iterdir())
ours = [module for name, module in sys.modules.items() if name.partition(".")[0] in {PACKAGES}]
print(len(ours), *{{str(Path(module.__file__).parents[0]) for module in ours}}, sep="\\n")
"""


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the package as pip installs it; what it depends on is that of the tests."""
    folder = tmp_path_factory.mktemp("installed")
    words = ("--no-deps", "--no-index", "--no-build-isolation", "--no-compile", "--quiet")
    pip = (sys.executable, "-m", "pip", "install", *words, "--target", folder)
    subprocess.run((*pip, ROOT), check=True, cwd=folder)
    return folder


def run(installed: Path, folder: Path, *words: str | Path) -> str:
    """Run a program in a folder, where it finds the installed package first."""
    kept = {name: value for name, value in os.environ.items() if "ALPHASTOCKS" not in name}
    environment = {**kept, "PYTHONPATH": str(installed)}
    done = subprocess.run(
        words, cwd=folder, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def files_of(folder: Path) -> set[Path]:
    paths = (path for package in PACKAGES for path in (folder / package).rglob("*"))
    return {
        path.relative_to(folder)
        for path in paths
        if path.is_file() and "__pycache__" not in path.parts
    }


def test_every_file_of_the_packages_is_installed(installed: Path) -> None:
    assert files_of(installed) == files_of(ROOT)


def test_the_command_says_its_version_and_its_topics(installed: Path, tmp_path: Path) -> None:
    command = installed / "bin" / "alphastocks"
    assert run(installed, tmp_path, command, "--version") == f"alphastocks {VERSION}\n"
    topics = run(installed, tmp_path, command, "topics")
    assert all(name in topics for name in TOPICS)
    assert list(tmp_path.iterdir()) == []


def test_every_module_and_every_data_file_is_read_from_there(
    installed: Path, tmp_path: Path
) -> None:
    count, *folders = run(installed, tmp_path, sys.executable, "-c", READ_ALL).splitlines()
    assert int(count) == len([path for path in files_of(ROOT) if path.suffix == ".py"])
    assert all(Path(folder).is_relative_to(installed) for folder in folders)
    assert list(tmp_path.iterdir()) == []


def test_the_metadata_has_the_version_that_the_code_says(installed: Path, tmp_path: Path) -> None:
    code = "from importlib.metadata import version; print(version('alphastocks'))"
    assert run(installed, tmp_path, sys.executable, "-c", code).strip() == VERSION
