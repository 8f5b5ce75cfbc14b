import re

import pytest

from libs.servers.kafka.errors import KafkaMissing
from libs.servers.kafka.java import find_java, java_version
from tests.unit.libs.servers.kafka.programs import Programs


@pytest.mark.parametrize(
    ("said", "version"),
    [
        ('openjdk version "17.0.15" 2025-04-15', 17),
        ('java version "1.8.0_402"', 8),
        ('openjdk version "25" 2025-09-16', 25),
        ('Picked up JAVA_TOOL_OPTIONS: -X\nopenjdk version "21.0.2" 2024-01-16 LTS', 21),
        ("command not found", 0),
    ],
)
def test_the_version_of_java_is_read(said: str, version: int) -> None:
    assert java_version(said) == version


def test_a_java_that_is_too_old_is_refused_with_its_place_and_version(programs: Programs) -> None:
    programs.write_java(version="11.0.2")
    with pytest.raises(KafkaMissing, match=r"/programs/java is Java 11: .* Java 17 or newer"):
        find_java()


def test_a_machine_without_java_is_told_what_to_install(programs: Programs) -> None:
    programs.hide_others()
    with pytest.raises(KafkaMissing, match=re.escape("no `java` on this machine: install Java 17")):
        find_java()
