"""What an overlay of deploy/k8s renders to, and the tools for that."""

import os
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import yaml

from services.local.commands.secret_files import write_missing

ROOT = Path(__file__).parents[2]
K8S = ROOT / "deploy" / "k8s"
OVERLAYS = ("local", "production")
TOOLS = ROOT / "var" / "tools"
KUSTOMIZE = "sigs.k8s.io/kustomize/kustomize/v5@v5.7.1"
BUILD_SECONDS = 600
Thing = dict[str, Any]


@cache
def kustomize() -> tuple[str, ...]:
    """Return the command that renders, built from its source where Go is; empty without any."""
    for program, verb in (("kustomize", "build"), ("kubectl", "kustomize")):
        if path := shutil.which(program):
            return (path, verb)
    built = TOOLS / "kustomize"
    if not built.exists():
        go = shutil.which("go")
        if go is None:
            return ()
        environment = {**os.environ, "GOBIN": str(TOOLS), "GOFLAGS": "-mod=mod"}
        command = (go, "install", KUSTOMIZE)
        subprocess.run(command, env=environment, check=True, timeout=BUILD_SECONDS)
    return (str(built), "build")


def render(overlay: str, folder: Path) -> list[Thing]:
    """Return the objects of an overlay, with secrets made for the occasion."""
    copy = folder / "k8s"
    shutil.copytree(K8S, copy, ignore=shutil.ignore_patterns("secrets"))
    write_missing(copy / "overlays" / "local" / "secrets")
    command = (*kustomize(), str(copy / "overlays" / overlay))
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, done.stderr
    return list(yaml.safe_load_all(done.stdout))


@dataclass(frozen=True)
class Pod:
    """The template of a workload's pods."""

    overlay: str
    owner: Thing
    labels: dict[str, str]
    spec: Thing

    def __str__(self) -> str:
        return f"{self.overlay}/{self.owner['kind']}/{self.name}"

    @property
    def name(self) -> str:
        return str(self.owner["metadata"]["name"])

    @property
    def containers(self) -> list[Thing]:
        return [*self.spec.get("initContainers", []), *self.spec["containers"]]

    @property
    def is_ours(self) -> bool:
        return any("alphastocks" in one["image"] for one in self.containers)

    @property
    def mounted_secrets(self) -> dict[str, Thing]:
        """Volume name → secret volume."""
        volumes = self.spec.get("volumes", [])
        return {one["name"]: one["secret"] for one in volumes if "secret" in one}


def pods(overlay: str, things: list[Thing]) -> Iterator[Pod]:
    """Yield the pod templates of workloads, those of the operators' resources too."""
    for thing in things:
        spec = thing.get("spec", {})
        if thing["kind"] in {"Deployment", "StatefulSet", "Job"}:
            template = spec["template"]
            labels = template["metadata"].get("labels", {})
            yield Pod(overlay, thing, labels, template["spec"])
        for template in spec.get("templates", {}).get("podTemplates", []):
            yield Pod(overlay, thing, template["metadata"]["labels"], template["spec"])


def of_kind(things: list[Thing], *kinds: str) -> list[Thing]:
    return [thing for thing in things if thing["kind"] in kinds]


def selects(selector: Thing, labels: dict[str, str]) -> bool:
    """Whether a label selector takes a pod in."""
    equal = selector.get("matchLabels", {})
    among = selector.get("matchExpressions", [])
    assert all(one["operator"] == "In" for one in among), "the only operator that is used"
    return all(labels.get(key) == value for key, value in equal.items()) and all(
        labels.get(one["key"]) in one["values"] for one in among
    )
