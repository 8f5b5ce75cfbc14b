from pathlib import Path

import pytest

from tests.unit.libs.servers.kafka.programs import Programs


@pytest.fixture
def programs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Programs:
    folder = tmp_path / "programs"
    folder.mkdir()
    return Programs(folder, monkeypatch)
