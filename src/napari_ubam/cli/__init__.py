"""The command line: ``napari-ubam …``, one thin command a step."""

from __future__ import annotations

import sys

from napari_ubam.cli.commands import app
from napari_ubam.cli.terminal import console, say
from napari_ubam.errors import UbamError


def main() -> None:
    """Run the command line; what a user can mend is shown as a message, without a traceback."""
    try:
        app()
    except UbamError as error:
        say(f"Error: {error}", style="red")
        sys.exit(1)
    except KeyboardInterrupt:
        console.print("Interrupted.")
        sys.exit(130)
