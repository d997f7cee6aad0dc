"""8 workers of pytest-xdist with 200 tests share nothing and leave nothing."""

import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile

import pytest

pytest.importorskip("xdist")

WORKERS, TESTS = 8, 200
DEADLINE = 200  # seconds; it takes about five

SUITE = """
import json, os, pathlib, subprocess
import pytest

@pytest.mark.parametrize("number", range(%d))
@pytest.mark.parametrize("fixture", ["cmdmox", "cmd_mox"])
def test_it(request, fixture, number):
    mox = request.getfixturevalue(fixture)
    session = getattr(mox, "session", mox)
    mine = f"{fixture}-{number}"
    mox.mock("git").with_args(mine).returns(f"git of {mine}").times(2)
    mox.spy(f"only-{mine}").returns("only")
    mox.stub("hosts").runs(lambda call: (f"handler of {mine}", "", 0))
    for _ in range(2):
        assert subprocess.check_output(["git", mine], text=True) == f"git of {mine}"
    assert subprocess.check_output(["/bin/sh", "-c", f"only-{mine}; hosts"], text=True) == f"onlyhandler of {mine}"
    others = pathlib.Path(session.shim_directory)
    seen = {"test": request.node.nodeid, "label": session.label, "worker": os.environ["PYTEST_XDIST_WORKER"],
            "session": session.session_id.hex(), "server": session.server.process.pid,
            "calls": [[call.command, *call.args] for call in session.journal],
            "shims": sorted(file.name for file in others.iterdir())}
    with open(f"seen-{os.environ['PYTEST_XDIST_WORKER']}", "a") as file:
        file.write(json.dumps(seen) + "\\n")
""" % (TESTS // 2)

CONFTEST = """
import json, os
before = {}

def pytest_sessionstart(session):
    before.update(os.environ)

def pytest_sessionfinish(session):
    after = {name: value for name, value in os.environ.items() if name != "PYTEST_CURRENT_TEST"}
    before.pop("PYTEST_CURRENT_TEST", None)
    with open(f"environment-{os.environ.get('PYTEST_XDIST_WORKER', 'main')}", "w") as file:
        json.dump(sorted(name for name in {*before, *after} if before.get(name) != after.get(name)), file)
"""


@pytest.fixture(scope="module")
def place():
    """Short, for it has sockets."""
    made = tempfile.mkdtemp(prefix="cmdmox-xd-")
    yield made
    shutil.rmtree(made)


@pytest.fixture(scope="module")
def run_of_suite(place, tmp_path_factory):
    folder = tmp_path_factory.mktemp("suite")
    (folder / "test_many.py").write_text(SUITE)
    (folder / "conftest.py").write_text(CONFTEST)
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "cmdmox.pytest_plugin", "-n", str(WORKERS), str(folder)],
        cwd=folder, env={**os.environ, "CMOX_TMPDIR": place}, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
        text=True, timeout=DEADLINE, check=False)
    assert done.returncode == 0 and f"{TESTS} passed" in done.stdout, done.stdout
    seen = [json.loads(line) for file in folder.glob("seen-*") for line in file.read_text().splitlines()]
    return folder, seen


def test_every_test_saw_its_own_calls_only(run_of_suite):
    _, seen = run_of_suite
    assert len(seen) == TESTS
    for each in seen:
        mine = "-".join(re.search(r"\[(\w+)-(\d+)\]", each["test"]).groups())
        assert each["calls"] == [["git", mine], ["git", mine], [f"only-{mine}"], ["hosts"]]
        assert each["shims"] == sorted(["git", "hosts", f"only-{mine}"])


def test_every_worker_had_a_server_of_its_own_and_every_test_a_session(run_of_suite):
    _, seen = run_of_suite
    assert len({each["session"] for each in seen}) == TESTS
    assert len({each["worker"] for each in seen}) == WORKERS
    assert len({each["server"] for each in seen}) == WORKERS
    assert len({(each["worker"], each["server"]) for each in seen}) == WORKERS
    assert all(each["label"] == f"{each['test']} [{each['worker']}]" for each in seen)


def test_the_environment_is_untouched(run_of_suite):
    folder, _ = run_of_suite
    left = {file.name: json.loads(file.read_text()) for file in folder.glob("environment-*")}
    assert len(left) == WORKERS + 1
    assert left == dict.fromkeys(left, [])


def test_no_directory_and_no_socket_is_left(run_of_suite, place):
    assert [str(path) for path in pathlib.Path(place).rglob("*")] == []
    assert place not in pathlib.Path("/proc/net/unix").read_text()


def test_no_process_is_left(run_of_suite, place):
    """None that was started with this place in its environment."""
    mark = f"CMOX_TMPDIR={place}\0".encode()
    alive = []
    for process in pathlib.Path("/proc").glob("[0-9]*"):
        try:
            if mark in (process / "environ").read_bytes() + b"\0":
                alive.append((process.name, (process / "cmdline").read_bytes()))
        except OSError:
            continue  # it has ended, or is another user's
    assert alive == []
