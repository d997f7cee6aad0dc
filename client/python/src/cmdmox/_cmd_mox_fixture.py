"""The fixture by the name of the Python CmdMox: a plugin of its own, for where that is not installed beside this."""

from __future__ import annotations

from typing import Iterator

import pytest

from cmdmox.compat import CmdMox, skip_if_unsupported
from cmdmox.pytest_plugin import lend


@pytest.fixture
def cmd_mox(request: pytest.FixtureRequest) -> Iterator[CmdMox]:
    """The session of the cmdmox fixture, with the names of the Python CmdMox (cmdmox.compat)."""
    skip_if_unsupported()
    for held in lend(request):
        mox = CmdMox(session=held.mox, verify_on_exit=False)
        held.verify = lambda: mox.judge(keep_environment=True)
        yield mox
