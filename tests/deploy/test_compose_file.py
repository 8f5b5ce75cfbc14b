"""The compose file by itself: what can be seen without a Docker engine."""

import re
from typing import Any
from urllib.parse import urlsplit

import pytest
import yaml

from libs.runtime.settings import load_settings
from services.local.catalogue import NAMES, SERVICES
from services.local.commands.doctor import DOCKER_PORTS
from services.local.commands.executor_client import DEFAULT_URL
from services.local.settings import LocalSettings
from tests.deploy.stack import COMPOSE_FILE, IMAGES

VARIABLE = re.compile(r"\$\{(\w+)(?:(:?-)([^}]*))?\}")
LIVE = COMPOSE_FILE.parent / "live.env"
JOBS = {"secrets", "topics", "tables", "cli"}
OURS = {*NAMES, "simulator", *JOBS}


def filled(text: str, variables: dict[str, str]) -> str:
    """Put variables in as docker compose does; those without a default are empty."""

    def value(found: re.Match[str]) -> str:
        name, kind, default = found.groups()
        given = variables.get(name)
        if given is None or (kind == ":-" and not given):
            return default or ""
        return given

    return VARIABLE.sub(value, text)


def variables_of(name: str) -> dict[str, str]:
    lines = (COMPOSE_FILE.parent / name).read_text().splitlines()
    return dict(line.split("=", 1) for line in lines if "=" in line and not line.startswith("#"))


def compose(env_file: str = ".env") -> dict[str, Any]:
    composed: dict[str, Any] = yaml.safe_load(
        filled(COMPOSE_FILE.read_text(), variables_of(env_file))
    )
    return composed


def environment(service: dict[str, Any]) -> dict[str, str]:
    given = service.get("environment") or {}
    return {name: "" if text is None else str(text) for name, text in given.items()}


def test_every_service_is_there() -> None:
    assert set(compose()["services"]) == OURS | {"kafka", "clickhouse", "prometheus", "grafana"}


def test_what_is_published_is_published_on_this_machine_alone() -> None:
    ports = [port for one in compose()["services"].values() for port in one.get("ports", [])]
    assert len(ports) == 4
    assert all(port.startswith("127.0.0.1:") for port in ports)


def test_every_container_is_limited_and_its_log_too() -> None:
    for name, one in compose()["services"].items():
        assert "mem_limit" in one, name
        assert 0 < one["cpus"] <= 2, f"{name}: a machine of two cores must do"
        assert one["logging"]["options"] == {"max-size": "10m", "max-file": "3"}, name


def test_the_order_path_goes_first_when_the_cores_are_short() -> None:
    shares = {name: one.get("cpu_shares", 1024) for name, one in compose()["services"].items()}
    first = {"executor", "position", "kafka"}
    assert min(shares[name] for name in first) > max(shares[name] for name in set(shares) - first)
    assert max(shares["prometheus"], shares["grafana"]) < shares["clickhouse"] < shares["candle"]


def test_kafka_has_room_for_what_it_cannot_give_back_and_for_its_readers() -> None:
    kafka = compose()["services"]["kafka"]
    limit, heap, direct = (
        int(re.findall(pattern, text)[0])
        for pattern, text in (
            (r"^(\d+)m$", kafka["mem_limit"]),
            (r"-Xmx(\d+)m", kafka["environment"]["KAFKA_HEAP_OPTS"]),
            (r"MaxDirectMemorySize=(\d+)m", kafka["environment"]["KAFKA_OPTS"]),
        )
    )
    assert limit - (heap + direct + 200) >= 512


def test_every_image_has_a_version() -> None:
    for image in IMAGES:
        assert re.search(r":v?\d+\.\d+", image), image


def test_the_doctor_asks_for_the_ports_that_are_published() -> None:
    text = COMPOSE_FILE.read_text()
    published = re.findall(r"127\.0\.0\.1:\$\{(\w+):-(\d+)\}", text)
    assert {name: int(port) for name, port in published} == DOCKER_PORTS


def test_our_services_say_in_their_health_check_what_they_wait_for() -> None:
    for name in NAMES:
        check = compose()["services"][name]["healthcheck"]["test"]
        assert check == ["CMD", "python", "-m", "libs.runtime.probe"], name


def test_what_goes_on_is_watched_and_started_again() -> None:
    for name, one in compose()["services"].items():
        if name in JOBS:
            assert one["restart"] == "no"
        else:
            assert one["restart"] == "unless-stopped", name
            assert one["healthcheck"]["test"], name


def test_our_containers_can_do_nothing_beside_their_work() -> None:
    services = compose()["services"]
    for name in OURS:
        one = services[name]
        assert one["read_only"] is True, name
        assert one["cap_drop"] == ["ALL"], name
        assert one["security_opt"] == ["no-new-privileges:true"], name
        assert "privileged" not in one, name
        assert not any(volume.startswith("/") for volume in one.get("volumes", [])), name


def test_one_service_alone_builds_the_image_of_all() -> None:
    services = compose()["services"]
    assert [name for name, one in services.items() if "build" in one] == ["secrets"]
    assert {services[name]["image"] for name in OURS} == {"alphastocks:0.1.0"}


def test_no_secret_stands_in_the_file() -> None:
    for name, one in compose()["services"].items():
        for variable, text in environment(one).items():
            is_secret = any(word in variable for word in ("PASSWORD", "SECRET", "TOKEN"))
            is_place = variable.endswith(("_FILE", "ALPHASTOCKS_SECRETS")) or text == ""
            assert is_place or not is_secret, f"{name}: {variable}"


def test_every_volume_is_declared_and_used() -> None:
    composed = compose()
    used = {
        volume.partition(":")[0]
        for one in composed["services"].values()
        for volume in one.get("volumes", [])
    }
    named = {volume for volume in used if not volume.startswith(".")}
    assert named | {"kite-session"} == set(composed["volumes"])
    for place in used - named:
        assert (COMPOSE_FILE.parent / place).exists(), place


@pytest.mark.parametrize("env_file", [".env", "live.env"])
def test_the_environment_of_every_container_is_known_to_the_settings(
    env_file: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    services = compose(env_file)["services"]
    for name in OURS - {"secrets"}:
        own = {k: v for k, v in environment(services[name]).items() if "ALPHASTOCKS_" in k}
        own.pop("ALPHASTOCKS_SECRETS", None)
        with monkeypatch.context() as patch:
            for variable, text in own.items():
                patch.setenv(variable, text)
            settings = load_settings(LocalSettings, None)
        if name in NAMES:
            assert settings.runtime.clock == ("wall" if env_file == "live.env" else "feed")


def test_the_live_feed_is_the_real_kite_and_orders_are_logged() -> None:
    services = compose("live.env")["services"]
    executor, ingest = (environment(services[name]) for name in ("executor", "ingest"))
    assert executor["ALPHASTOCKS_EXECUTOR__MODE"] == "logging_only"
    assert executor["ALPHASTOCKS_EXECUTOR__VENUE"] == "paper"
    assert ingest["ALPHASTOCKS_KITE__ROOT"] == "https://api.kite.trade"
    assert ingest["ALPHASTOCKS_KITE__API_KEY"] == "", "it comes from the user's shell"
    assert variables_of("live.env")["COMPOSE_PROJECT_NAME"] != compose()["name"]


def test_each_service_mounts_the_secrets_that_it_needs_and_no_others() -> None:
    services = compose()["services"]
    for entry in SERVICES:
        volumes = services[entry.name]["volumes"]
        expected = {"secrets-store"}
        expected |= {"simulator-session"} if entry.spec.uses_kite else set()
        expected |= {"secrets-control"} if entry.name == "executor" else set()
        assert {one.partition(":")[0] for one in volumes} == expected, entry.name
        assert all(one.endswith(":ro") for one in volumes), entry.name


def test_each_service_runs_as_a_module_of_its_name() -> None:
    services = compose()["services"]
    for name in NAMES:
        assert services[name]["command"] == ["python", "-m", f"services.{name}"]


def test_control_commands_reach_the_executor_at_the_port_that_is_published() -> None:
    published = compose()["services"]["executor"]["ports"]
    assert published == [f"127.0.0.1:{urlsplit(DEFAULT_URL).port}:8100"]
