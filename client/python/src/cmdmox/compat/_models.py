"""A call and an answer, as the Python CmdMox has them: texts only."""

from __future__ import annotations

import re
import signal
from dataclasses import dataclass, field
from typing import Dict, List, Optional

from cmdmox import _invocation

_SHOWN = 256  # characters of a stream in repr()
_SECRET = re.compile(r"key|token|secret|password|passwd|credential|(^|[_-])(pass|pwd)(?=[_-]|\d|$)", re.IGNORECASE)


@dataclass
class Response:
    """What a double answers. `env` is taken and not used: the caller of a command never sees the environment of the command."""

    stdout: str = ""
    stderr: str = ""
    exit_code: int = 0
    env: Dict[str, str] = field(default_factory=dict)

    def to_dict(self) -> Dict[str, object]:
        return {"stdout": self.stdout, "stderr": self.stderr, "exit_code": self.exit_code, "env": dict(self.env)}


@dataclass(repr=False)
class Invocation:
    """One call of a command. stdout, stderr and exit_code are what it was answered with; a handler sees them empty."""

    command: str
    args: List[str]
    stdin: str
    env: Dict[str, str]
    stdout: str = ""
    stderr: str = ""
    exit_code: int = 0
    invocation_id: Optional[str] = None

    @property
    def argv(self) -> List[str]:
        """With the name of the command in front."""
        return [self.command, *self.args]

    def to_dict(self) -> Dict[str, object]:
        found: Dict[str, object] = {
            "command": self.command, "args": list(self.args), "stdin": self.stdin, "env": dict(self.env), "stdout": self.stdout,
            "stderr": self.stderr, "exit_code": self.exit_code}
        if self.invocation_id is not None:
            found["invocation_id"] = self.invocation_id
        return found

    def apply(self, response: Response) -> None:
        """Takes over what an answer says, but its env."""
        self.stdout, self.stderr, self.exit_code = response.stdout, response.stderr, response.exit_code

    def __repr__(self) -> str:
        """Cut, and without the values of variables that look secret."""
        shown = self.to_dict()
        for name in ("stdin", "stdout", "stderr"):
            text = str(shown[name])
            shown[name] = text if len(text) <= _SHOWN else f"{text[:_SHOWN - 1]}…"
        shown["env"] = {name: "<redacted>" if _SECRET.search(name) else value for name, value in self.env.items()}
        return f"Invocation({shown!r})"


def of_call(call: _invocation.Call) -> Invocation:
    """What a handler is given."""
    return Invocation(call.command, call.args, call.stdin, call.environ, invocation_id=str(call.id))


def of_journal(entry: _invocation.Invocation) -> Invocation:
    return Invocation(entry.command, entry.args, entry.stdin, entry.environ, entry.stdout, entry.stderr, _status(entry), str(entry.id))


def _status(entry: _invocation.Invocation) -> int:
    """As a shell says it: 128 and the signal's number for a command that died by one."""
    if entry.signal:
        return 128 + int(getattr(signal, entry.signal, 0))
    return entry.exit_code or 0
