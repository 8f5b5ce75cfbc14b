"""Endpoints of executor and position under arbitrary requests, made from their OpenAPI text."""

import json
import urllib.request
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings

from libs.events.control import ControlUsed, ModeChanged, TradingHalted, TradingResumed
from libs.runtime.access import AccessToken, Scope, hash_of
from libs.runtime.service import Parts, Service
from services.executor.settings import ControlSettings, ExecutorSettings
from tests.integration.served import Served, served
from tests.proofs import examples
from tests.undisturbed import import_undisturbed, undisturbed
from tests.unit.services.executor.builders import one_trade
from tests.unit.services.executor.handling import paper_service
from tests.unit.services.position.test_endpoints import days_trades
from tests.unit.services.position.test_endpoints import make as make_positions

TOKENS: dict[Scope, str] = {"read": "looks", "operate": "halts", "trade": "closes"}
schemathesis, checks = map(import_undisturbed, ("schemathesis", "schemathesis.checks"))
Ok = import_undisturbed("schemathesis.core.result").Ok
CHECKS = [
    checks.not_a_server_error,
    checks.status_code_conformance,
    checks.content_type_conformance,
    checks.response_schema_conformance,
]
CHANGES = (TradingHalted, TradingResumed, ModeChanged)
FUZZED = settings(examples(60), suppress_health_check=[HealthCheck.too_slow])


def make(parts: Parts) -> Service:
    tokens = tuple(AccessToken(name=s, scope=s, sha256=hash_of(t)) for s, t in TOKENS.items())
    control = ControlSettings(tokens=tokens, per_minute=1_000_000)
    return paper_service(ExecutorSettings(mode="paper", control=control), parts)


@pytest.fixture(scope="module")
def executor() -> Iterator[Served]:
    # More of schemathesis is imported as it is used.
    with undisturbed(), served(make, one_trade()) as server:
        yield server


def fuzz(executor: Served, token: str) -> None:
    """Ask each endpoint for everything that its description allows, and much that it does not."""
    api = schemathesis.openapi.from_url(f"{executor.url}/openapi.json")
    for result in api.get_all_operations():
        assert isinstance(result, Ok), "every endpoint is described well"

        @FUZZED
        @given(case=result.ok().as_strategy())
        def play(case: Any) -> None:
            case.call_and_validate(checks=CHECKS, headers={"Authorization": f"Bearer {token}"})

        play()


@pytest.fixture(scope="module")
def positions() -> Iterator[Served]:
    with undisturbed(), served(make_positions, days_trades()) as server:
        yield server


def test_whoever_asks_for_positions_breaks_nothing(positions: Served) -> None:
    fuzz(positions, "")


def test_a_stranger_breaks_nothing_and_changes_nothing(executor: Served) -> None:
    before = executor.control()
    fuzz(executor, "guessed")
    assert executor.control() == before, "not even a record: a stranger could fill the log"


def test_a_token_that_may_read_breaks_nothing_and_changes_nothing(executor: Served) -> None:
    before = executor.control()
    fuzz(executor, TOKENS["read"])
    made = executor.control()[len(before) :]
    assert [one.type for one in made if not isinstance(one, ControlUsed)] == []
    refused = [one for one in made if isinstance(one, ControlUsed) and one.action != "state"]
    assert refused
    assert {one.outcome for one in refused} == {"refused"}


def test_a_token_that_may_do_everything_breaks_nothing(executor: Served) -> None:
    fuzz(executor, TOKENS["trade"])
    assert {type(one) for one in executor.control()} >= set(CHANGES), "it did do something"


def test_the_state_that_is_fuzzed_has_a_position(executor: Served) -> None:
    request = urllib.request.Request(f"{executor.url}/control/state")
    request.add_header("Authorization", f"Bearer {TOKENS['read']}")
    with urllib.request.urlopen(request, timeout=10) as reply:
        (position,) = json.load(reply)["positions"]
    assert position["last_price"] is not None


def test_every_endpoint_is_described(executor: Served) -> None:
    api = schemathesis.openapi.from_url(f"{executor.url}/openapi.json")
    assert set(api.raw_schema["paths"]) == {
        *("/health/live", "/health/ready", "/metrics", "/info"),
        *(
            f"/control/{name}"
            for name in (
                *("state", "reconciliation", "doctor", "halt", "resume", "exit"),
                *("mode", "arm", "disarm"),
            )
        ),
    }
