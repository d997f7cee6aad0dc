"""When the other side does not play along: servers that die, hang, talk nonsense or are newer, and clients that go away, fork or
are interrupted. Each ends in a clear failure, and nothing is left."""

import contextlib
import os
import re
import signal
import socket
import subprocess
import sys
import time

import pytest

from cmdmox import BuilderError, CmdMox, CmdMoxError, ServerError, UnverifiedError, VerificationError
from cmdmox import _server

HERE = os.path.dirname(os.path.abspath(__file__))
REAL = os.environ["CMDMOX_PROGRAM"]
DEADLINE = 60


def until(happened):
    end = time.monotonic() + DEADLINE
    while not (answer := happened()):
        assert time.monotonic() < end, "it did not happen"
        os.sched_yield()
    return answer


def state_of(pid):
    """T: stopped; Z: it waits for whoever started it; nothing: it is gone."""
    try:
        with open(f"/proc/{pid}/stat", encoding="utf-8") as file:
            return file.read().rsplit(")", 1)[1].split()[0]
    except OSError:
        return ""


def ended(pid):
    return state_of(pid) in ("", "Z")


@pytest.fixture
def odd(tmp_path, monkeypatch):
    """The path of a program that is an odd server."""

    def make(how):
        program = tmp_path / "cmdmox-odd"
        program.write_text(f"#!{sys.executable}\nimport sys\nsys.path.insert(0, {HERE!r})\nimport odd_server\n", encoding="utf-8")
        program.chmod(0o755)
        monkeypatch.setenv("ODD", how)
        monkeypatch.setenv("REAL", REAL)
        monkeypatch.setenv("CMOX_IPC_TIMEOUT", "0.3" if how == "silent" else "none")
        return str(program)

    yield make
    _server.end_all()  # those that would not go on anyway


# ---- The server ------------------------------------------------------------------------------------------------------


def test_a_server_of_a_later_version(odd, run):
    """Unknown fields are ignored everywhere, in answers as in what it asks."""
    with CmdMox(cmdmox=odd("newer")) as mox:
        mox.mock("git").with_args("a", lambda value: value == "b").capture_stdin().runs(lambda call: call.stdin.upper())
        mox.replay()
        assert run("git", "a", "b", input="x").out == "X"
        assert mox.journal[0].stdin == "x"
        assert mox.verify().passed


SERVERS = [
    ("refuses", "VERSION_MISMATCH", "CmdMox: this server speaks versions 2 to 3, you speak 1 to 1"),
    ("version", "VERSION_MISMATCH", "the server speaks version 2 of the protocol, this package version 1: use those of one release"),
    ("garbage", "BAD_FRAME", "what the server says is no frame of cmdmox: "),
    ("silent", "DEADLINE_EXCEEDED", "the server did not answer within 0.3 s: it hangs, or is none of cmdmox"),
    ("ends", "LINK_CLOSED", r"cmdmox-odd, process \d+\) ended with status 3; what it had to say is on stderr"),
    ("leaves", "BAD_FRAME", "the server closed the link: that was no frame"),
    ("shorter", "BAD_PAYLOAD", "the server's answer to CreateSession cannot be read"),
]


@pytest.mark.parametrize("how, reason, text", SERVERS, ids=[row[0] for row in SERVERS])
def test_an_odd_server(odd, how, reason, text):
    with pytest.raises(ServerError) as caught:
        CmdMox(cmdmox=odd(how))
    assert caught.value.reason == reason
    assert re.search(text, str(caught.value)), caught.value
    assert "test_adverse.py" in str(caught.value)


def test_no_program(monkeypatch, tmp_path, run):
    monkeypatch.delenv("CMDMOX_PROGRAM")
    with monkeypatch.context() as patch:
        patch.setenv("PATH", str(tmp_path))
        with pytest.raises(ServerError) as caught:
            CmdMox()
    assert caught.value.reason == "NO_SERVER"
    assert "there is no cmdmox program: it is not in this package, and not on PATH. Install cmdmox" in str(caught.value)
    monkeypatch.setenv("PATH", f"{os.path.dirname(REAL)}:{os.environ['PATH']}")
    with CmdMox() as mox:  # found there
        mox.stub("git")
        mox.replay()
        assert run("git").status == 0


@pytest.mark.parametrize("mode, text", [(None, "is no file"), (0o644, "is not executable"), (0o755, "cannot be started: ")])
def test_a_program_that_is_none(tmp_path, monkeypatch, mode, text):
    program = tmp_path / "cmdmox"
    if mode is not None:
        program.write_bytes(b"\x7fELF nothing")
        program.chmod(mode)
    for options in ({"cmdmox": str(program)}, {}):
        monkeypatch.setenv("CMDMOX_PROGRAM", str(program))
        with pytest.raises(ServerError) as caught:
            CmdMox(**options)
        assert caught.value.reason == "NO_SERVER" and text in str(caught.value) and str(program) in str(caught.value)


def test_a_server_that_dies(run):
    with CmdMox(cmdmox=REAL) as mox:  # verify_on_exit finds it gone, and says so
        with pytest.raises(ServerError) as caught:
            with mox:
                mox.mock("git")
                mox.replay()
                os.kill(mox.server.process.pid, signal.SIGKILL)
                until(lambda: mox.server.link.broken)
                done = run("git")
                assert done.status == 125 and done.err.count("\n") == 1
        assert caught.value.reason == "LINK_CLOSED"
        assert re.search(r"verify: the cmdmox server \(.*, process \d+\) was killed by SIGKILL; what it had", str(caught.value))
    with CmdMox(cmdmox=REAL) as mox:  # a new session has a new server
        mox.mock("git")
        mox.replay()
        assert run("git").status == 0


def test_a_server_that_dies_while_a_request_waits(run):
    with pytest.raises(ServerError):
        with CmdMox() as mox:
            mox.mock("git").runs(lambda call: os.kill(mox.server.process.pid, signal.SIGKILL))
            mox.replay()
            assert run("git").status == 125
            mox.verify()


def test_a_server_that_is_stopped(monkeypatch):
    monkeypatch.setenv("CMOX_IPC_TIMEOUT", "0.3")  # a server of its own, with this patience
    mox = CmdMox(environment="none")
    try:
        os.kill(mox.server.process.pid, signal.SIGSTOP)
        until(lambda: state_of(mox.server.process.pid) == "T")
        with pytest.raises(ServerError) as caught:
            mox.mock("git")
        assert caught.value.reason == "DEADLINE_EXCEEDED"
        assert "mock: the server has said nothing of CreateDoubles for 0.3 s: it is stopped, or the machine is overloaded" in str(caught.value)
    finally:
        os.kill(mox.server.process.pid, signal.SIGCONT)
        mox.close()
        _server.end_all()


def test_a_timeout_that_is_none(monkeypatch):
    monkeypatch.setenv("CMOX_IPC_TIMEOUT", "soon")
    with pytest.raises(BuilderError) as caught:
        CmdMox()
    assert caught.value.reason == "BAD_TIMEOUT" and "CMOX_IPC_TIMEOUT is \"soon\": write seconds, such as 5 or 0.5, or none" in str(caught.value)


# ---- Servers that listen ----------------------------------------------------------------------------------------------


@contextlib.contextmanager
def listening_server(tmp_path_factory):
    address = f"unix:{tmp_path_factory.mktemp('s')}/s"
    with subprocess.Popen([REAL, "serve", "--listen", address], stdout=subprocess.PIPE) as server:
        assert server.stdout.readline().decode().strip() == address
        yield address, server
        server.terminate()


@pytest.fixture
def listening(tmp_path_factory):
    with listening_server(tmp_path_factory) as (address, _):
        yield address


def test_a_server_that_listens(listening, run):
    with CmdMox(connect=listening) as one, CmdMox(connect=listening, environment="none") as two:
        one.mock("git").runs(lambda call: "one")
        two.mock("git").runs(lambda call: "two")
        one.replay()
        two.replay()
        assert run("git").out == "one"
        assert run("/bin/sh", "-c", "git", env=two.environ).out == "two"


def test_two_clients_of_one_session(listening, run):
    """Whoever knows the id may use the session: what the other one does is seen at once, and named."""
    with CmdMox(connect=listening) as mox, CmdMox(connect=listening, environment="none") as other:
        mox.stub("git").runs(lambda call: "mine")
        mox.replay()
        control = other._control
        control.session_id = mox.session_id
        assert control.count() == 0
        control.ask("ServeCallbacks", _server.control_pb2.ServeCallbacksRequest(), _server.control_pb2.ServeCallbacksResponse)
        assert run("git").status == 125  # the other one is asked now, and has no such handler
        with pytest.raises(VerificationError, match="this client has no such session any more"):
            mox.verify()
        control.ask("DeleteSession", _server.control_pb2.DeleteSessionRequest(), _server.control_pb2.DeleteSessionResponse)
        with pytest.raises(CmdMoxError) as caught:
            mox.call_count()
        assert caught.value.reason == "NOT_FOUND" and "call_count: " in str(caught.value)


@pytest.mark.parametrize("address, reason, text", [
    ("unix:/nowhere/s", "NO_SERVER", "no server at /nowhere/s: there is no such socket; start one with: cmdmox serve --listen ADDRESS"),
    ("/nowhere/s", "NO_SERVER", "no server at /nowhere/s"),
    ("tcp:localhost:1", "UNSUPPORTED_SCHEME", "unsupported address scheme: tcp:localhost:1; write unix:/path/to/socket"),
    ("unix:", "BAD_ADDRESS", "malformed address: 'unix:'; write unix:/path/to/socket"),
    ("unix:/" + "x" * 107, "PATH_TOO_LONG", "at most 107 bytes are possible"),
])
def test_addresses_without_a_server(address, reason, text):
    with pytest.raises(CmdMoxError) as caught:
        CmdMox(connect=address)
    assert caught.value.reason == reason and text in str(caught.value)


def test_a_listening_server_that_is_gone(tmp_path_factory):
    with listening_server(tmp_path_factory) as (address, server):
        with pytest.raises(ServerError) as caught:
            with CmdMox(connect=address) as mox:
                mox.mock("git")
                mox.replay()
                server.kill()
                until(lambda: mox.server.link.broken)
        assert caught.value.reason == "LINK_CLOSED"
        assert f"verify: the server at {address} closed the link: it has ended, or was told to" in str(caught.value)
    with pytest.raises(ServerError, match="nobody listens there any more"):
        CmdMox(connect=address)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can be another user")
def test_a_server_of_another_user(tmp_path_factory):
    place = tmp_path_factory.mktemp("foreign")
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(place / "s"))
        os.seteuid(12345)  # whose it is is decided here
        try:
            listener.listen()
        finally:
            os.seteuid(0)
        with pytest.raises(ServerError) as caught:
            CmdMox(connect=f"unix:{place}/s")
    assert caught.value.reason == "PERMISSION_DENIED"
    assert "belongs to another user (uid 12345): its commands would run as you; start one of your own" in str(caught.value)


# ---- Clients that go away ------------------------------------------------------------------------------------------------


def test_a_client_that_never_verifies_fails_at_exit(python):
    done = python("""
import atexit, subprocess
atexit.register(lambda: print("the last handler"))
from cmdmox import CmdMox
mox = CmdMox(label="forgotten")
mox.mock("git")
mox.replay()
subprocess.run(["git"], check=True)
print("passed")
""")
    assert done.status == 1
    assert done.out == "passed\nthe last handler\n"
    assert re.search(r"cmdmox: the session \"forgotten\" \(program.py:5\) ends without verify\(\), which would have passed: call it, or no",
                     done.err), done.err


def test_what_it_would_have_seen_is_told(python):
    done = python("""
from cmdmox import CmdMox
mox = CmdMox()
mox.mock("git")
mox.replay()
""")
    assert done.status == 1 and "which fails:" in done.err and "never called: mock git (program.py:4)" in done.err


def test_a_session_that_is_dropped_before_replay_is_told_of(python):
    done = python("""
from cmdmox import CmdMox
import gc
mox = CmdMox()
mox.mock("git")
del mox
gc.collect()
with CmdMox(environment="none") as mox:
    print(mox.phase)
""")
    assert done.status == 0 and done.out == "record\n"
    assert "ResourceWarning: cmdmox: the session of program.py:4 was never ended: use it in a with block, or call close()" in done.err


def test_a_client_that_is_killed_leaves_nothing(python, tmp_path):
    place = tmp_path / "shims"
    place.mkdir()
    program = tmp_path / "killed.py"
    program.write_text("""
import os, sys
from cmdmox import CmdMox
mox = CmdMox()
mox.mock("git").runs(lambda call: None)
mox.replay()
print(mox.server.process.pid, flush=True)
sys.stdin.read()
""", encoding="utf-8")
    with subprocess.Popen([sys.executable, str(program)], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                          env={**os.environ, "CMOX_TMPDIR": str(place)}) as child:
        server = int(child.stdout.readline())
        assert os.listdir(place)
        child.kill()
        child.wait(DEADLINE)
    until(lambda: ended(server))
    until(lambda: not os.listdir(place))


def test_a_client_that_ends_leaves_nothing(python, tmp_path):
    place = tmp_path / "shims"
    place.mkdir()
    done = python("""
import subprocess
from cmdmox import CmdMox
for _ in range(20):
    with CmdMox() as mox:
        mox.mock("git")
        mox.replay()
        subprocess.run(["git"], check=True)
print(mox.server.process.pid)
""", env={**os.environ, "CMOX_TMPDIR": str(place)})
    assert done.status == 0, done.err
    assert not os.listdir(place) and ended(int(done.out))


def test_an_interrupt_reaches_the_test_and_not_the_server(tmp_path):
    program = tmp_path / "interrupted.py"
    program.write_text("""
import signal, subprocess, sys
from cmdmox import CmdMox
with CmdMox() as mox:
    mox.mock("git").returns("x", gate="never")
    mox.replay()
    child = subprocess.Popen(["git"], stdin=subprocess.DEVNULL, preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_IGN))
    while not mox.call_count():
        pass
    try:
        print("waiting", flush=True)
        child.wait()
    except KeyboardInterrupt:
        print("interrupted", mox.release("never"), child.wait(), mox.call_count(), flush=True)
""", encoding="utf-8")
    with subprocess.Popen([sys.executable, str(program)], stdout=subprocess.PIPE, start_new_session=True) as child:
        assert child.stdout.readline() == b"waiting\n"
        os.killpg(child.pid, signal.SIGINT)
        out = child.stdout.read()
        assert child.wait(DEADLINE) == 0 and out.endswith(b"interrupted 1 0 1\n"), out


def test_interrupts_in_the_midst_of_requests_break_nothing(tmp_path):
    """A timer interrupts the main thread at any place, again and again; the session goes on."""
    program = tmp_path / "interrupted.py"
    program.write_text("""
import signal
from cmdmox import CmdMox
interrupts = 0
with CmdMox() as mox:
    stub = mox.stub("git")
    mox.replay()
    signal.signal(signal.SIGALRM, signal.default_int_handler)
    while interrupts < 200:
        try:
            signal.setitimer(signal.ITIMER_REAL, 0.0003)
            while True:
                stub.returns("x" * 1000)
        except KeyboardInterrupt:
            interrupts += 1
    signal.setitimer(signal.ITIMER_REAL, 0)
    print(mox.call_count(), mox.phase)
""", encoding="utf-8")
    done = subprocess.run([sys.executable, str(program)], capture_output=True, text=True, timeout=DEADLINE, check=False)
    assert (done.returncode, done.stdout) == (0, "0 replay\n"), done.stderr


# ---- Other processes -----------------------------------------------------------------------------------------------------


def test_a_child_of_fork(python):
    done = python("""
import os, subprocess, sys
from cmdmox import CmdMox, LifecycleError
with CmdMox() as mox:
    mox.mock("git").times(2).runs(lambda call: "parent's")
    mox.replay()
    pid = os.fork()
    if pid == 0:
        try:
            mox.call_count()
        except LifecycleError as error:
            print(error.reason, error, flush=True)
        print(subprocess.run(["git"], capture_output=True, text=True).stdout, mox.environ["PATH"] == os.environ["PATH"], flush=True)
        mox.close()
        with CmdMox() as own:
            own.mock("git").returns("child's")
            own.replay()
            print(subprocess.run(["git"], capture_output=True, text=True).stdout, own.server is not mox.server, flush=True)
        sys.exit(0)  # through the with block of the parent's session, and the handlers of exit
    print("child", os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), flush=True)
    print(subprocess.run(["git"], capture_output=True, text=True).stdout)
""")
    assert done.status == 0, done.err
    lines = done.out.splitlines()
    assert lines[0].startswith("FORKED program.py:10: call_count: this session belongs to the process that this one was forked from: make a")
    assert lines[1:] == ["parent's True", "child's True", "child 0", "parent's"]


@pytest.mark.parametrize("method", ["fork", "spawn", "forkserver"])
def test_multiprocessing(python, method):
    done = python(f"""
import multiprocessing, subprocess
from cmdmox import CmdMox

def work(number):
    with CmdMox() as mox:
        mox.mock("git").runs(lambda call: str(number))
        mox.replay()
        return subprocess.run(["git"], capture_output=True, text=True).stdout

if __name__ == "__main__":
    with CmdMox() as mox:
        mox.mock("git").returns("parent")
        mox.replay()
        assert subprocess.run(["git"], capture_output=True, text=True).stdout == "parent"
        mox.verify()
        with multiprocessing.get_context("{method}").Pool(4) as pool:
            print(pool.map(work, range(12)))
            pool.close()
            pool.join()
""")
    assert (done.status, done.out) == (0, f"{[str(number) for number in range(12)]}\n"), done.err


def test_a_forked_child_does_not_keep_the_server(tmp_path):
    """Killed, with a child of fork() that lives on: the server ends all the same."""
    program = tmp_path / "forking.py"
    program.write_text("""
import os, sys
from cmdmox import CmdMox
mox = CmdMox()
mox.stub("git")
read, write = os.pipe()
if os.fork() == 0:
    os.close(write)
    os.read(read, 1)
    os._exit(0)
print(mox.server.process.pid, flush=True)
sys.stdin.read()
""", encoding="utf-8")
    with subprocess.Popen([sys.executable, str(program)], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as child:
        server = int(child.stdout.readline())
        child.kill()
        child.wait(DEADLINE)
        until(lambda: ended(server))


def test_unverified_beats_nothing_else(run):
    """close() of a session that nobody verified restores everything before it raises."""
    before = dict(os.environb)
    mox = CmdMox()
    mox.stub("git")
    mox.replay()
    with pytest.raises(UnverifiedError, match="ends without verify\\(\\), which would have passed: call it, or no failure is ever seen"):
        mox.close()
    assert dict(os.environb) == before and mox.phase == "closed" and not os.path.exists(mox.shim_directory + "/none")
