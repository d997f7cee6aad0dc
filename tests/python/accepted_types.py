"""What mypy --strict accepts in the tests of users, as it is accepted at run time: nothing here is run by pytest."""

import pathlib
from typing import Dict, Optional

from cmdmox import CmdMox, Response
from cmdmox.matchers import Any, Contains, Unset


def declare(mox: CmdMox) -> None:
    mox.mock("git").with_args("describe", Any, Any(), b"bytes", pathlib.Path("p"), lambda text: text != "")
    mox.mock("git").with_matching_args(Any, Contains("x")).with_stdin(Any).with_cwd(Any)
    mox.mock("git").with_matching_env("NAME", Unset).with_matching_env(b"NAME", Unset()).with_matching_env("NAME", Any)
    mox.mock("git").with_env({b"C": "x"}).with_env({"C": b"x", "D": None}).with_env({"C": pathlib.Path("p")}).with_env("C", None)
    variables: Dict[str, str] = {}
    removed: Dict[str, Optional[str]] = {"C": None}
    mox.mock("git").with_env(variables).with_env(removed)
    paths: Dict[pathlib.Path, str] = {}
    mox.mock("git").returns(files={pathlib.Path("p"): "x"}).returns(files=paths).returns(files={"p": b"x"}).returns(files={b"p": "x"})
    mox.mock("git").runs(lambda call: Response(files={pathlib.Path("p"): "x"}))
