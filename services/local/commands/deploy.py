"""`alphastocks secrets`: what a deployment needs before its services start."""

from pathlib import Path
from typing import Annotated

import typer

from services.local import screen
from services.local.commands.secret_files import write_missing


def secrets(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="Where the files go.")],
) -> None:
    """Write the secrets of a deployment that are not there yet: random ones, a file each.

    What is there stays. ALPHASTOCKS_SECRETS names the folders below DIR that a service reads.

    Example: `alphastocks secrets deploy/k8s/overlays/local/secrets`
    """
    written = write_missing(folder)
    for name in written:
        screen.console.print(f"made {folder / name}", soft_wrap=True)
    if not written:
        screen.console.print(f"all secrets are in {folder} already", soft_wrap=True)
