"""Where the cmdmox program is."""

from __future__ import annotations

import os
import shutil
from typing import Optional

from cmdmox._errors import ServerError

BUNDLED = os.path.join(os.path.dirname(os.path.abspath(__file__)), "_bin", "cmdmox")
VARIABLE = "CMDMOX_PROGRAM"


def _checked(path: str, said: str) -> str:
    """A path that somebody has named: it must be a program."""
    if os.path.isfile(path) and os.access(path, os.X_OK):
        return os.path.abspath(path)
    why = "is not executable" if os.path.isfile(path) else "is no file"
    raise ServerError(f"{said} names {path}, which {why}: give the path of the cmdmox program", "NO_SERVER")


def find(named: Optional[str] = None) -> str:
    """The argument, CMDMOX_PROGRAM, the program in this package (wheels have one), or cmdmox on PATH: the first there
    is."""
    if named is not None:
        return _checked(os.fspath(named), "cmdmox=")
    if os.environ.get(VARIABLE):
        return _checked(os.environ[VARIABLE], VARIABLE)
    if os.access(BUNDLED, os.X_OK):
        return BUNDLED
    found = shutil.which("cmdmox")
    if found:
        return os.path.abspath(found)
    raise ServerError("there is no cmdmox program: it is not in this package, and not on PATH. Install cmdmox, or a wheel of this "
                      f"package that has it, or set {VARIABLE}, or say CmdMox(cmdmox=\"/path/to/cmdmox\")", "NO_SERVER")
