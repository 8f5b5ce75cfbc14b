"""Write every dashboard: `python -m deploy.grafana.source`."""

from pathlib import Path

from grafana_foundation_sdk.cog.encoder import JSONEncoder

from deploy.grafana.source import execution, health, market_data, overview, positions, strategies
from deploy.grafana.source.board import Board, Row
from deploy.grafana.source.runbook import entry_panels

FOLDER = Path(__file__).parents[1] / "dashboards"


def boards() -> tuple[Board, ...]:
    """Return all dashboards; the runbook's panels are the entries of docs/runbook.md."""
    runbook = Board(
        name="runbook",
        title="Runbook",
        description="What each alert means, and what to do. Written from docs/runbook.md.",
        rows=[Row("Alerts", entry_panels())],
    )
    of_services = (overview, market_data, strategies, execution, positions, health)
    return (*(module.BOARD for module in of_services), runbook)


def text_of(board: Board) -> str:
    """Return a dashboard as its file has it."""
    encoder = JSONEncoder(indent=2, sort_keys=True, ensure_ascii=False)
    return encoder.encode(board.build()) + "\n"


def main() -> None:
    """Write the files, and remove those of dashboards that are no more."""
    FOLDER.mkdir(exist_ok=True)
    texts = {f"{board.name}.json": text_of(board) for board in boards()}
    for file in FOLDER.glob("*.json"):
        if file.name not in texts:
            file.unlink()
    for name, text in texts.items():
        (FOLDER / name).write_text(text)


if __name__ == "__main__":
    main()
