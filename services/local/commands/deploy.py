"""`alphastocks secrets`: the secrets that a deployment needs before its services start."""

from pathlib import Path
from typing import Annotated

import typer

from services.local import screen
from services.local.commands.places import check_folder
from services.local.commands.secret_files import folders_to_write, write_missing


def secrets(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="Folder of the files.")],
) -> None:
    """Write random secrets for a deployment, a file each; existing files are kept.

    ALPHASTOCKS_SECRETS names the folders below DIR that a service reads.

    Example: `alphastocks secrets deploy/k8s/overlays/local/secrets`
    """
    for place in folders_to_write(folder):
        check_folder("DIR", place)
    written = write_missing(folder)
    for name in written:
        screen.console.print(f"made {folder / name}", soft_wrap=True)
    if not written:
        screen.console.print(f"all secrets are in {folder} already", soft_wrap=True)
