"""Run the command line with ``python -m napari_ubam``."""

from napari_ubam.cli import main

if __name__ == "__main__":
    main()
