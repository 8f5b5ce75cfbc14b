"""What deploy/k8s renders to: valid, safe, and fitting itself and the services."""

from collections.abc import Callable
from pathlib import Path

import kubernetes_validate
import pytest

from deploy.prometheus.__main__ import RESOURCE, resource
from libs.runtime.settings import load_settings
from services.local import catalogue
from services.local.settings import LocalSettings
from tests.deploy import custom_resources
from tests.deploy.rendered import (
    K8S,
    OVERLAYS,
    ROOT,
    Pod,
    Thing,
    kustomize,
    of_kind,
    pods,
    render,
    selects,
)

KUBERNETES = "1.33"
SERVICES = set(catalogue.NAMES)
SCALED = {entry.name for entry in catalogue.SERVICES if entry.spec.processes == "per_partition"}
SINGLE = SERVICES - SCALED
TALKS_TO_KITE = {entry.name for entry in catalogue.SERVICES if entry.spec.uses_kite}
MADE_OUTSIDE = {
    "local": {"bus", "kite"},
    "production": {
        *("store", "control", "kite", "kite-session", "grafana"),  # by hand: see the README
        *("alphastocks", "alphastocks-cluster-ca-cert"),  # by Strimzi, for its user and its CA
    },
}
Overlays = dict[str, list[Thing]]


@pytest.fixture(scope="module")
def overlays(tmp_path_factory: pytest.TempPathFactory) -> Overlays:
    if not kustomize():
        pytest.skip("nothing renders here: install kustomize, kubectl, or Go, which builds it")
    return {name: render(name, tmp_path_factory.mktemp(name)) for name in OVERLAYS}


@pytest.fixture(params=OVERLAYS)
def overlay(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture
def things(overlays: Overlays, overlay: str) -> list[Thing]:
    return overlays[overlay]


@pytest.fixture
def templates(overlay: str, things: list[Thing]) -> list[Pod]:
    return list(pods(overlay, things))


def offenders(templates: list[Pod], offends: Callable[[Pod], bool]) -> list[str]:
    return [str(pod) for pod in templates if offends(pod)]


def test_every_object_fits_the_schema_of_its_kind(things: list[Thing]) -> None:
    for thing in things:
        if "." not in thing["apiVersion"] or "k8s.io" in thing["apiVersion"]:
            kubernetes_validate.validate(thing, KUBERNETES, strict=True)


def test_every_custom_resource_fits_the_schema_of_its_operator(things: list[Thing]) -> None:
    reason = custom_resources.why_not()
    if reason:
        pytest.skip(reason)
    foreign = [
        one for one in things if "." in one["apiVersion"] and "k8s.io" not in one["apiVersion"]
    ]
    for thing in foreign:
        if thing["kind"] not in custom_resources.UNCHECKED:
            assert custom_resources.problems(thing) == "", thing["kind"]


def test_a_custom_resource_that_does_not_fit_is_noticed(overlays: Overlays) -> None:
    if custom_resources.why_not():
        pytest.skip(custom_resources.why_not())
    (kafka,) = of_kind(overlays["production"], "Kafka")
    broken = {**kafka, "spec": {**kafka["spec"], "kafka": {"listeners": "all"}}}
    assert "listeners" in custom_resources.problems(broken)


def test_each_service_is_deployed_from_a_file_of_its_name(overlays: Overlays) -> None:
    named = {
        folder.name for folder in (ROOT / "services").iterdir() if (folder / "domain").exists()
    }
    assert named - {"simulator"} == SERVICES
    for things in overlays.values():
        kinds = {one["metadata"]["name"] for one in of_kind(things, "Deployment", "StatefulSet")}
        assert kinds >= SERVICES
    assert {path.stem for path in (K8S / "base").glob("*.yaml")} >= SERVICES


def test_what_there_may_be_one_of_is_never_two(things: list[Thing]) -> None:
    for thing in of_kind(things, "Deployment"):
        assert thing["metadata"]["name"] in SINGLE
        assert thing["spec"]["replicas"] == 1
        assert thing["spec"]["strategy"] == {"type": "Recreate"}
    scaled = {
        one["spec"]["scaleTargetRef"]["name"] for one in of_kind(things, "HorizontalPodAutoscaler")
    }
    assert scaled == SCALED


def test_no_pod_runs_as_root_or_gains_privileges(templates: list[Pod]) -> None:
    def offends(pod: Pod) -> bool:
        own = pod.spec["securityContext"]
        contexts = [one["securityContext"] for one in pod.containers]
        is_safe = all(
            one["allowPrivilegeEscalation"] is False and one["capabilities"] == {"drop": ["ALL"]}
            for one in contexts
        )
        is_root = not own["runAsNonRoot"] or own["runAsUser"] == 0
        return is_root or not is_safe or own["seccompProfile"] != {"type": "RuntimeDefault"}

    assert offenders(templates, offends) == []


def test_our_containers_cannot_write_where_they_run(templates: list[Pod]) -> None:
    ours = [pod for pod in templates if pod.is_ours]
    assert len(ours) >= len(SERVICES)
    for pod in ours:
        assert all(one["securityContext"]["readOnlyRootFilesystem"] for one in pod.containers), pod


def test_no_pod_touches_its_host_or_the_clusters_interface(templates: list[Pod]) -> None:
    def offends(pod: Pod) -> bool:
        on_host = any(pod.spec.get(name) for name in ("hostNetwork", "hostPID", "hostIPC"))
        paths = any("hostPath" in volume for volume in pod.spec.get("volumes", []))
        ports = any("hostPort" in port for one in pod.containers for port in one.get("ports", []))
        return on_host or paths or ports

    assert offenders(templates, offends) == []
    workloads = [pod for pod in templates if "apps" in pod.owner["apiVersion"]]
    assert offenders(workloads, lambda pod: pod.spec["automountServiceAccountToken"]) == []


def test_every_container_asks_for_resources_and_is_limited(templates: list[Pod]) -> None:
    def offends(pod: Pod) -> bool:
        wanted = [one["resources"] for one in pod.containers]
        return not all(
            {"cpu", "memory"} <= set(one["requests"]) & set(one["limits"]) for one in wanted
        )

    assert offenders(templates, offends) == []


def test_everything_that_goes_on_is_probed(templates: list[Pod]) -> None:
    probes = {"startupProbe", "readinessProbe", "livenessProbe"}
    lasting = [pod for pod in templates if pod.owner["kind"] in {"Deployment", "StatefulSet"}]
    assert (
        offenders(lasting, lambda pod: not all(probes <= set(one) for one in pod.containers)) == []
    )
    for pod in (one for one in lasting if one.name in SERVICES):
        (container,) = pod.containers
        assert container["readinessProbe"]["httpGet"]["path"] == "/health/ready"
        assert container["livenessProbe"]["httpGet"]["path"] == "/health/live"


def test_every_image_has_a_version(templates: list[Pod]) -> None:
    def offends(pod: Pod) -> bool:
        tags = [one["image"].rpartition("/")[2].partition(":")[2] for one in pod.containers]
        return not all(tag and tag != "latest" for tag in tags)

    assert offenders(templates, offends) == []


def test_every_pod_is_behind_a_policy_that_keeps_others_out(
    things: list[Thing], templates: list[Pod]
) -> None:
    policies = [one["spec"] for one in of_kind(things, "NetworkPolicy")]
    strimzi = {"brokers"}  # Strimzi makes policies of its own
    for pod in (one for one in templates if one.name not in strimzi):
        kinds = {
            k for p in policies if selects(p["podSelector"], pod.labels) for k in p["policyTypes"]
        }
        assert "Ingress" in kinds, pod
        assert "Egress" in kinds or not pod.is_ours, pod


def test_only_who_talks_to_kite_may_leave_the_cluster(
    things: list[Thing], templates: list[Pod]
) -> None:
    to_kite = next(
        p["spec"] for p in of_kind(things, "NetworkPolicy") if p["metadata"]["name"] == "to-kite"
    )
    reached = {pod.name for pod in templates if selects(to_kite["podSelector"], pod.labels)}
    assert reached == TALKS_TO_KITE


def test_selectors_budgets_and_scalers_find_what_they_mean(
    things: list[Thing], templates: list[Pod]
) -> None:
    labels = {pod.name: pod.labels for pod in templates}
    for workload in of_kind(things, "Deployment", "StatefulSet"):
        name = workload["metadata"]["name"]
        assert selects(workload["spec"]["selector"], labels[name]), name
    for budget in of_kind(things, "PodDisruptionBudget"):
        assert selects(budget["spec"]["selector"], labels[budget["metadata"]["name"]])
    budgets = {one["metadata"]["name"] for one in of_kind(things, "PodDisruptionBudget")}
    assert budgets == SERVICES
    stateful = {one["metadata"]["name"] for one in of_kind(things, "StatefulSet")}
    for scaler in of_kind(things, "HorizontalPodAutoscaler"):
        assert scaler["spec"]["scaleTargetRef"]["name"] in stateful


def test_services_lead_to_ports_that_pods_have(things: list[Thing], templates: list[Pod]) -> None:
    for service in of_kind(things, "Service"):
        found = [
            pod
            for pod in templates
            if selects({"matchLabels": service["spec"]["selector"]}, pod.labels)
        ]
        (pod,) = found
        names = {port["name"] for one in pod.containers for port in one["ports"]}
        assert {port["targetPort"] for port in service["spec"]["ports"]} <= names
        assert service["metadata"]["name"] == pod.name


def test_prometheus_finds_every_service(overlays: Overlays) -> None:
    things = overlays["production"]
    (monitor,) = of_kind(things, "ServiceMonitor")
    found = {
        service["metadata"]["name"]
        for service in of_kind(things, "Service")
        if selects(monitor["spec"]["selector"], service["metadata"]["labels"])
    }
    assert found == SERVICES


def test_the_alerts_are_those_of_the_rule_file(overlays: Overlays) -> None:
    assert RESOURCE.read_text() == resource(), "run python -m deploy.prometheus"
    assert len(of_kind(overlays["production"], "PrometheusRule")) == 1
    assert of_kind(overlays["local"], "PrometheusRule") == []


def test_what_pods_refer_to_is_there_or_made_outside(
    overlay: str, things: list[Thing], templates: list[Pod]
) -> None:
    made = {one["metadata"]["name"] for one in of_kind(things, "Secret")} | MADE_OUTSIDE[overlay]
    maps = {one["metadata"]["name"] for one in of_kind(things, "ConfigMap")}
    accounts = {one["metadata"]["name"] for one in of_kind(things, "ServiceAccount")}
    for pod in templates:
        assert {one["secretName"] for one in pod.mounted_secrets.values()} <= made, pod
        named = {f["configMapRef"]["name"] for c in pod.containers for f in c.get("envFrom", [])}
        assert named <= maps, pod
        assert pod.spec.get("serviceAccountName", "jobs") in accounts, pod
        volumes = {one["name"] for one in pod.spec.get("volumes", [])}
        claims = {
            one["metadata"]["name"] for one in pod.owner["spec"].get("volumeClaimTemplates", [])
        }
        mounted = {m["name"] for one in pod.containers for m in one.get("volumeMounts", [])}
        assert mounted <= volumes | claims, pod


def test_a_service_gets_the_secrets_that_it_needs_and_no_others(templates: list[Pod]) -> None:
    for pod in (one for one in templates if one.is_ours and one.name != "simulator"):
        expected = {"store", "bus"}
        expected |= {"kite", "kite-session"} if pod.name in TALKS_TO_KITE else set()
        expected |= {"control"} if pod.name == "executor" else set()
        assert set(pod.mounted_secrets) - {"kafka-ca"} == expected, pod


def test_the_environment_of_every_pod_is_known_to_the_settings(
    things: list[Thing], templates: list[Pod], monkeypatch: pytest.MonkeyPatch
) -> None:
    data = {one["metadata"]["name"]: one["data"] for one in of_kind(things, "ConfigMap")}
    for pod in (one for one in templates if one.is_ours):
        (container,) = pod.containers
        variables = {
            k: v
            for f in container.get("envFrom", [])
            for k, v in data[f["configMapRef"]["name"]].items()
        }
        variables |= {one["name"]: one.get("value", "pod-0") for one in container.get("env", [])}
        folders = variables.pop("ALPHASTOCKS_SECRETS").split(":")
        mounts = {one["mountPath"] for one in container["volumeMounts"]}
        assert set(folders) <= mounts, pod
        with monkeypatch.context() as patch:
            for name, text in variables.items():
                patch.setenv(name, text)
            settings = load_settings(LocalSettings, None)
        if pod.name in SERVICES:
            assert (settings.runtime.host, settings.runtime.port) == ("0.0.0.0", 8100)
            assert settings.bus.kind == "kafka"
            assert settings.kite.session_file == Path("/run/alphastocks/kite/session.json")


def test_orders_go_to_a_simulator_or_nowhere(overlays: Overlays) -> None:
    def said(overlay: str) -> dict[str, str]:
        maps = of_kind(overlays[overlay], "ConfigMap")
        return {key: text for one in maps for key, text in one["data"].items()}

    local, production = said("local"), said("production")
    assert local["ALPHASTOCKS_KITE__ROOT"] == "http://simulator:8200"
    assert production["ALPHASTOCKS_EXECUTOR__MODE"] == "logging_only"
    assert "ALPHASTOCKS_KITE__ROOT" not in production
    assert production["ALPHASTOCKS_BUS__SECURITY_PROTOCOL"] == "SASL_SSL"


def test_no_secret_lies_in_the_repository() -> None:
    for file in K8S.rglob("*.yaml"):
        assert "kind: Secret" not in file.read_text(), file
    assert (K8S / "overlays" / "local" / ".gitignore").read_text() == "secrets/\n"
