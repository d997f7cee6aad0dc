"""A session: declare, replay, run, verify; what the block does when it is left."""

import os
import subprocess

import pytest

from cmdmox import BuilderError, CmdMox, LifecycleError, UnverifiedError, VerificationError


def test_a_mock_answers_and_verifies(run):
    with CmdMox() as mox:
        mox.mock("git").with_args("describe", "--tags").returns("v1.4.0\n")
        mox.replay()
        assert run("git", "describe", "--tags") == (0, "v1.4.0\n", "")
        assert mox.verify().passed


def test_an_unexpected_call_fails_with_the_servers_report(run):
    with pytest.raises(VerificationError) as caught:
        with CmdMox() as mox:
            mox.mock("git").with_args("push", "upstream", "main")
            mox.replay()
            done = run("git", "push", "origin", "main")
    assert done.status == 125
    assert "expected \"upstream\", actual \"origin\"" in done.err
    text = str(caught.value)
    assert text.startswith("cmdmox: verification failed: 2 problems")
    assert "mox.mock(\"git\").with_args(\"push\", \"origin\", \"main\")" in text
    assert [each.kind for each in caught.value.findings] == ["UNEXPECTED_CALL", "UNFULFILLED"]
    assert caught.value.findings[0].location.endswith("test_session.py:22")
    assert caught.value.findings[0].differences[1].actual == "\"origin\""


def test_path_is_set_by_replay_and_taken_off_by_verify(run):
    before = os.environ["PATH"]
    with CmdMox() as mox:
        mox.stub("git")
        assert os.environ["PATH"] == before
        mox.replay()
        assert os.environ["PATH"] == f"{mox.shim_directory}:{before}"
        assert run("git").status == 0
        mox.verify()
        assert os.environ["PATH"] == before


def test_without_an_environment_the_child_is_given_one(run):
    with CmdMox(environment="none") as mox:
        mox.mock("git").returns("x")
        before = dict(os.environ)
        mox.replay()
        assert dict(os.environ) == before
        assert run("/bin/sh", "-c", "git", env=mox.environ) == (0, "x", "")


def test_the_bodys_exception_wins_and_carries_the_report(run):
    with pytest.raises(ZeroDivisionError) as caught:
        with CmdMox() as mox:
            mox.mock("git")
            mox.replay()
            raise ZeroDivisionError("mine")
    notes = getattr(caught.value, "__notes__", None)
    if notes is not None:
        assert "never called: mock git" in notes[0]
    assert "PATH" in os.environ and subprocess.run(["true"], check=True)


def test_a_session_that_nobody_verifies_fails_at_close(run):
    mox = CmdMox()
    mox.mock("git")
    mox.replay()
    with pytest.raises(UnverifiedError) as caught:
        mox.close()
    assert "ends without verify(), which fails:" in str(caught.value)
    assert "never called: mock git" in str(caught.value)
    mox.close()  # again is fine


def test_one_session_at_a_time_is_applied():
    with CmdMox() as first:
        first.stub("git")
        first.replay()
        with CmdMox() as second:
            with pytest.raises(LifecycleError) as caught:
                second.replay()
            assert caught.value.reason == "ENVIRONMENT_BUSY"
            assert "test_session.py" in str(caught.value) and "environment=\"none\"" in str(caught.value)


def test_a_mistake_raises_where_it_is_made():
    with CmdMox() as mox:
        with pytest.raises(BuilderError) as caught:
            mox.mock("a/b")
        assert caught.value.reason == "BAD_COMMAND_NAME"
        assert "test_session.py" in str(caught.value)


LEFT = """
import asyncio, sys
from cmdmox import CmdMox

def steps():
    with CmdMox() as mox:
        mox.mock("git")
        mox.replay()
        yield

async def forever():
    with CmdMox() as mox:
        mox.mock("git")
        mox.replay()
        await asyncio.sleep(1000)

async def cancel():
    task = asyncio.ensure_future(forever())
    await asyncio.sleep(0)
    task.cancel()
    await asyncio.wait([task])

"""

WAYS = {
    "exit": 'with CmdMox() as mox:\n    mox.mock("git")\n    mox.replay()\n    sys.exit(0)',
    "generator": "for _ in steps():\n    break",
    "cancelled": "asyncio.run(cancel())",
}


@pytest.mark.parametrize("way", list(WAYS))
def test_a_block_left_by_what_nobody_prints_fails_the_process(python, way):
    done = python(LEFT + WAYS[way])
    assert done.status == 1 and "never called: mock git" in done.err, done
    assert done.err.count("never called") == 1


def test_an_exit_with_a_status_of_its_own_keeps_it_and_tells_of_the_report(python):
    done = python(LEFT + WAYS["exit"].replace("exit(0)", "exit(3)"))
    assert done.status == 3 and "never called: mock git" in done.err


def test_an_exit_from_a_block_that_passes_is_none_of_ours(python):
    assert python(LEFT + WAYS["exit"].replace("mock", "stub")) == (0, "", "")


@pytest.mark.parametrize("method", ["fork", "spawn", "forkserver"])
def test_a_session_forgotten_in_a_process_of_multiprocessing_fails_it(python, method):
    done = python(f"""
import multiprocessing, sys
from cmdmox import CmdMox

def forget():
    global mox
    mox = CmdMox(label="forgotten")
    mox.mock("git")
    mox.replay()

def leave():
    with CmdMox(label="left") as mox:
        mox.mock("git")
        mox.replay()
        sys.exit(0)

if __name__ == "__main__":
    for work in (forget, leave):
        process = multiprocessing.get_context("{method}").Process(target=work)
        process.start()
        process.join()
        print(process.exitcode)
""")
    assert (done.status, done.out) == (0, "1\n1\n"), done
    assert "\"forgotten\"" in done.err and "\"left\"" in done.err and done.err.count("never called: mock git") == 2


def test_a_working_directory_that_is_gone_is_none_to_name_files_by(python, tmp_path):
    done = python(f"""
import os
os.mkdir("gone")
os.chdir("gone")
os.rmdir("../gone")
from cmdmox import CmdMox
with CmdMox() as mox:
    print(mox.location)
""")
    assert (done.status, done.out) == (0, f"{tmp_path}/program.py:7\n"), done
