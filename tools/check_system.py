"""Check what pip cannot install: Python, its venv module and the system libraries of Qt.

Run by make before the virtual environment is there, so it uses the standard library alone. What is missing is
printed with the command that brings it.
"""

import argparse
import ctypes
import importlib.util
import shutil
import sys

OLDEST_PYTHON = (3, 11)

# What Qt and OpenGL open at run time, by the Debian or Ubuntu package that holds it.
QT_LIBRARIES = {
    "libdbus-1.so.3": "libdbus-1-3",
    "libEGL.so.1": "libegl1",
    "libfontconfig.so.1": "libfontconfig1",
    "libGL.so.1": "libgl1",
    "libxcb-cursor.so.0": "libxcb-cursor0",
    "libxcb-icccm.so.4": "libxcb-icccm4",
    "libxcb-image.so.0": "libxcb-image0",
    "libxcb-keysyms.so.1": "libxcb-keysyms1",
    "libxcb-render-util.so.0": "libxcb-render-util0",
    "libxcb-shape.so.0": "libxcb-shape0",
    "libxcb-xinerama.so.0": "libxcb-xinerama0",
    "libxkbcommon-x11.so.0": "libxkbcommon-x11-0",
}


def is_loadable(library):
    """Tell whether the dynamic linker finds ``library``."""
    try:
        ctypes.CDLL(library)
    except OSError:
        return False
    return True


def missing_packages(for_tests):
    """List the Debian packages that this Linux system lacks."""
    missing = sorted({package for library, package in QT_LIBRARIES.items() if not is_loadable(library)})
    if any(importlib.util.find_spec(module) is None for module in ("venv", "ensurepip")):
        missing.append("python3-venv")
    if for_tests and shutil.which("xvfb-run") is None:
        missing.append("xvfb")
    return missing


def main():
    """Print what is missing; give the exit code."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--tests", action="store_true", help="also look for xvfb-run, the screen of the tests")
    parser.add_argument("--packages", action="store_true", help="print nothing but the missing packages, and succeed")
    arguments = parser.parse_args()

    missing = missing_packages(arguments.tests) if sys.platform.startswith("linux") else []
    if arguments.packages:
        print(*missing)
        return 0
    if sys.version_info < OLDEST_PYTHON:
        wanted = ".".join(map(str, OLDEST_PYTHON))
        print(f"{sys.executable} is Python {sys.version.split()[0]}; {wanted} or newer is needed.")
        print("If you have one under another name, say so: make PYTHON=python3.13 ...")
        return 1
    if missing:
        print("System packages are missing: " + ", ".join(missing))
        print("On Debian or Ubuntu, install them with\n")
        print("    sudo apt-get install " + " ".join(missing) + "\n")
        print("and run make again. On another Linux, the packages that hold the same libraries have similar names.")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
