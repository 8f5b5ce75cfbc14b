"""Write the alert rules as the Prometheus operator takes them: python -m deploy.prometheus"""

import sys
from pathlib import Path

import yaml

RULES = Path(__file__).parent / "rules" / "alphastocks.yml"
RESOURCE = Path(__file__).parents[1] / "k8s" / "base" / "alerts.yaml"
_HEAD = """# deploy/prometheus/rules/alphastocks.yml for the Prometheus operator, written by
# python -m deploy.prometheus: change it there.
"""


def resource() -> str:
    """Return the PrometheusRule with the groups of the rule file."""
    rule = {
        "apiVersion": "monitoring.coreos.com/v1",
        "kind": "PrometheusRule",
        "metadata": {
            "name": "alphastocks",
            "labels": {"app.kubernetes.io/part-of": "alphastocks"},
        },
        "spec": yaml.safe_load(RULES.read_text()),
    }
    return _HEAD + yaml.safe_dump(rule, sort_keys=False, allow_unicode=True, width=100)


def main() -> None:
    """Write the resource."""
    RESOURCE.write_text(resource())
    sys.stdout.write(f"{RESOURCE.name} is up to date\n")


if __name__ == "__main__":
    main()
