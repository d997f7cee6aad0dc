"""cmdmox under the name of the Python CmdMox."""

from __future__ import annotations

import sys
from types import ModuleType

NAME = "cmd_mox"
_PARTS = ("comparators", "controller", "errors", "ipc", "platform", "test_doubles")


def install_as_cmd_mox() -> None:
    """From here on `import cmd_mox`, and `from cmd_mox.ipc import Invocation`, give cmdmox.compat. Call it first of all, at the top
    of the outermost conftest.py: what has imported cmd_mox before keeps what it has. Again is fine."""
    ours = sys.modules[__package__ or ""]
    there = sys.modules.get(NAME)
    if there is ours:
        return
    if there is not None:
        raise RuntimeError(f"{NAME} is imported already, from {getattr(there, '__file__', None)}: call install_as_cmd_mox() before that, "
                           "or uninstall cmd-mox")
    sys.modules[NAME] = ours
    for part in _PARTS:
        sys.modules[f"{NAME}.{part}"] = ours
        setattr(ours, part, ours)
    plugin = ModuleType(f"{NAME}.pytest_plugin", "Nothing: the plugin of cmdmox has the fixture.")
    sys.modules[plugin.__name__] = plugin
    setattr(ours, "pytest_plugin", plugin)
