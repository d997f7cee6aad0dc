"""Where there are doubles for commands, and a skip for where there are none."""

from __future__ import annotations

import os
import sys
from typing import Optional

#: Names another platform than sys.platform, for tests of what a suite does there.
PLATFORM_OVERRIDE_ENV = "CMD_MOX_PLATFORM_OVERRIDE"

_UNSUPPORTED = ("win", "cygwin", "emscripten", "wasi")


def unsupported_reason(platform: Optional[str] = None) -> Optional[str]:
    """Why there are none here, or on this platform; None: there are."""
    name = (platform or os.environ.get(PLATFORM_OVERRIDE_ENV) or sys.platform).strip().lower()
    return f"cmdmox does not run on {name}" if name.startswith(_UNSUPPORTED) else None


def is_supported(platform: Optional[str] = None) -> bool:
    return unsupported_reason(platform) is None


def skip_if_unsupported(*, reason: Optional[str] = None, platform: Optional[str] = None) -> None:
    """Skips this test of pytest where there are none."""
    found = unsupported_reason(platform)
    if found is None:
        return
    try:
        import pytest
    except ModuleNotFoundError:
        raise RuntimeError("skip_if_unsupported() skips tests of pytest, which is not installed: ask is_supported()") from None
    pytest.skip(found if reason is None else reason)
