"""The runbook: every command that it names is there, and its words are the ones agreed on."""

import re

import pytest

from tests.deploy.observability import ROOT, RUNBOOK

TEXT = RUNBOOK.read_text()
COMMANDS = sorted(set(re.findall(r"\bmake ([a-z]+)(?= |$|`|\))", "\n".join(
    [*re.findall(r"`([^`\n]+)`", TEXT), *re.findall(r"^    (.+)$", TEXT, re.MULTILINE)]
), re.MULTILINE)))  # fmt: skip
TARGETS = set(re.findall(r"^([a-z0-9]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
PROSE = re.sub(r"`[^`]*`", "", re.sub(r"^    .*$", "", TEXT, flags=re.MULTILINE))
"""What is said, without commands."""


def test_commands_are_found() -> None:
    assert {"state", "halt", "resume", "exit", "stop", "start", "logs", "ps", "up"} <= set(COMMANDS)


@pytest.mark.parametrize("command", COMMANDS)
def test_every_make_command_of_the_runbook_is_a_target(command: str) -> None:
    assert command in TARGETS


def test_the_runbook_knows_no_other_way_to_the_stack() -> None:
    assert "$C" not in TEXT
    assert "docker compose" not in TEXT


def test_positions_are_closed_and_exit_is_the_name_of_a_command_only() -> None:
    headings = re.sub(r"^## .*$", "", PROSE, flags=re.MULTILINE)
    assert re.findall(r"(?i)\b(?:exit\w*|leave\w*|left open)\b", headings) == []


def test_the_card_of_the_morning_is_on_top_and_fits_one_screen() -> None:
    first, card, *_ = re.split(r"^## ", TEXT, flags=re.MULTILINE)
    assert card.startswith("Card for 09:10")
    assert len((first + card).splitlines()) <= 40
    for command in ("make ps", "make state", "make halt", "make exit", "make stop"):
        assert command in card
