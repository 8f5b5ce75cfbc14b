from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from libs.servers.kafka.errors import KafkaFailed, KafkaMissing
from libs.servers.kafka.jars import JARS_VARIABLE, kafka_jars, kafka_version, reason_of
from tests.unit.libs.servers.kafka.programs import Programs

COUNTED = 'echo run >> "$(dirname "$0")/runs"'
TARGET = 'for word; do case "$word" in -DoutputDirectory=*) target=${word#*=};; esac; done'
FETCHING = f'{COUNTED}\n{TARGET}\nmkdir -p "$target"; touch "$target/kafka_2.13-4.jar"'
REFUSED = """\x1b[0m[ERROR]
\x1b[0m[ERROR] Could not find artifact org.example:kafka:jar:9 -> [Help 1]
[ERROR] For more information, re-run Maven with -X."""


@pytest.fixture(autouse=True)
def _nothing_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(JARS_VARIABLE, raising=False)


def test_jars_are_fetched_once(programs: Programs, tmp_path: Path) -> None:
    programs.write_java()
    programs.write("mvn", FETCHING)
    places = [kafka_jars(tmp_path / "jars") for _ in range(2)]
    assert places == [tmp_path / "jars" / f"kafka-{kafka_version()}"] * 2
    assert [path.name for path in places[0].iterdir()] == ["kafka_2.13-4.jar"]
    assert (tmp_path / "programs" / "runs").read_text() == "run\n"


def test_a_fetch_that_broke_off_is_not_taken_for_a_whole_one(
    programs: Programs, tmp_path: Path
) -> None:
    programs.write_java()
    programs.write("mvn", f"{FETCHING}\necho '[ERROR] the line is dead'; exit 1")
    with pytest.raises(KafkaFailed, match=r"could not fetch Kafka's jars: the line is dead$"):
        kafka_jars(tmp_path / "jars")
    programs.write("mvn", FETCHING)
    assert kafka_jars(tmp_path / "jars").is_dir()
    assert (tmp_path / "programs" / "runs").read_text() == "run\nrun\n"


def test_two_at_once_fetch_once(programs: Programs, tmp_path: Path) -> None:
    programs.write_java()
    programs.write("mvn", f"sleep 0.2\n{FETCHING}")
    with ThreadPoolExecutor(2) as pool:
        places = list(pool.map(kafka_jars, [tmp_path / "jars"] * 2))
    assert places[0] == places[1]
    assert (tmp_path / "programs" / "runs").read_text() == "run\n"


def test_without_maven_the_error_says_what_to_do(programs: Programs, tmp_path: Path) -> None:
    programs.write_java()
    programs.hide_others()
    with pytest.raises(KafkaMissing, match=rf"no `mvn` .*install Maven, or let {JARS_VARIABLE}"):
        kafka_jars(tmp_path / "jars")


def test_jars_that_are_named_are_used_without_maven(
    programs: Programs, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    programs.hide_others()
    (tmp_path / "kafka_2.13-4.jar").touch()
    monkeypatch.setenv(JARS_VARIABLE, str(tmp_path))
    assert kafka_jars(tmp_path / "jars") == tmp_path


def test_a_named_folder_without_jars_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(JARS_VARIABLE, str(tmp_path))
    with pytest.raises(
        KafkaMissing, match=f"{JARS_VARIABLE} names {tmp_path}, which has no kafka_"
    ):
        kafka_jars(tmp_path / "jars")


@pytest.mark.parametrize(
    ("said", "reason"),
    [
        (REFUSED, "Could not find artifact org.example:kafka:jar:9 -> [Help 1]"),
        ("one\nJAVA_HOME is not set\n", "JAVA_HOME is not set"),
        ("", "no output"),
    ],
)
def test_the_reason_is_the_first_error_of_maven(said: str, reason: str) -> None:
    assert reason_of(said) == reason
