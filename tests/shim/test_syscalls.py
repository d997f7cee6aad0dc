"""Each system call of the static launcher fails, in every way: it answers right, or says why in one line and exits 125.

It never hangs, and no signal ends it but the one that it was asked for. Each scenario of faults.py runs unharmed first,
which gives its system calls in order. Then, for each of them and each errno, it runs again with that one call failing
(strace -e inject). A point counts as visited when strace says that it was. With CMDMOX_LONG=1 there are more scenarios,
and the calls also fail from there on for ever with each errno; without it they do so with one, EINTR. By hand:
test_syscalls.py [SCENARIO...].

What is left out, and why:
  execve       its failure is the caller's: no launcher runs; that of a real command is in its child, which is not traced
  exit_group   there is nothing left to say, and nobody to say it to
  close with EINTR   a real one has closed the descriptor, which libc relies on, and strace's has not: EDQUOT instead
Two things that are borne, and no more:
  arch_prctl   the first call of musl, before main: where the system refuses a thread its pointer, libc ends the program
               by SIGSEGV, as it does with every program of it
  a line of ours may be missing when strace says that the very write of it failed
"""

import collections
import concurrent.futures
import os
import re
import resource
import select
import shutil
import signal
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "acceptance"))

from support import SHIM  # noqa: E402  pylint: disable=wrong-import-position
from faults import SCENARIOS  # noqa: E402  pylint: disable=wrong-import-position
from scripted import Server, Stage  # noqa: E402  pylint: disable=wrong-import-position

SKIPPED = 77
LONG = os.environ.get("CMDMOX_LONG", "") == "1"
JOBS = int(os.environ.get("CMDMOX_JOBS") or len(os.sched_getaffinity(0)))
ERRNOS = ["EINTR", "EAGAIN", "ENOMEM", "EIO", "EBADF", "EMFILE", "ENOSYS", "EPERM"]
UNREAL = {("close", "EINTR"): "EDQUOT"}
LEFT_OUT = {"execve", "exit_group"}
BEFORE_MAIN = {"arch_prctl": -signal.SIGSEGV}
GUARD = 60  # seconds until a run counts as hanging; none waits for longer than a moment
PATIENCE = "20"  # CMOX_IPC_TIMEOUT: what is given up only then is a hang that has an end
ATTEMPTS = 20  # for a point that a run did not reach, since it read in other pieces
LINE = re.compile(rb"cmdmox: [^\n]+: [^\n]+\n")

Point = collections.namedtuple("Point", "scenario call position errno for_ever")
Outcome = collections.namedtuple("Outcome", "status out err made log took")


class Stages:
    """The stages of one worker, made when they are first needed."""

    folder, made = None, {}

    @classmethod
    def of(cls, endpoint):
        if endpoint not in cls.made:
            cls.made[endpoint] = Stage(tempfile.mkdtemp(prefix="s", dir=cls.folder), endpoint)
        return cls.made[endpoint]


def use_folder(folder):
    Stages.folder, Stages.made = folder, {}


def own_calls(log):
    """What the launcher called, and how often the shell before it called each."""
    names = [match[1] for line in log if (match := re.match(r"(\w+)\(", line))]
    last = len(names) - names[::-1].index("execve")
    return names[last:], collections.Counter(names[:last])


def command_of(stage, scenario):
    command = [os.path.join(stage.folder, scenario.program), *scenario.arguments]
    closed = [number for number, how in scenario.streams.items() if how == "closed"]
    if closed:  # strace itself needs them
        return ["/bin/sh", "-c", 'exec "$@" ' + " ".join(f"{number}>&-" for number in closed), "sh", *command]
    return command


def follow(pipe, server, guard_at):
    """The log as it grows, to its end; None when that does not come."""
    text = bytearray()
    while (left := guard_at - time.monotonic()) > 0:  # one that spins goes on talking
        if not select.select([pipe], [], [], left)[0]:
            break
        block = os.read(pipe, 65536)
        if not block:
            return text.decode("utf-8", "replace").splitlines()
        text += block
        if not server.may_accept.is_set() and re.search(rb"^connect\(.* EAGAIN", text, re.M):
            server.may_accept.set()
    return None


def broken_pipe():
    reader, writer = os.pipe()
    os.close(reader)
    return writer


def content(file):
    size = os.fstat(file).st_size
    return os.pread(file, size, 0) if size else b""


def keep_content(pipe, file):
    os.set_blocking(pipe, False)
    try:
        while block := os.read(pipe, 65536):
            os.write(file, block)
    except BlockingIOError:
        pass
    os.close(pipe)


MADE = "made"  # what a scenario has the launcher make, from its working directory


def take_made(folder):
    """Its content, or None; it is gone then."""
    path = os.path.join(folder, MADE)
    try:
        with open(path, "rb") as file:
            return file.read()
    except FileNotFoundError:
        return None
    finally:
        if os.path.exists(path):
            os.unlink(path)


def bound_children():
    """A launcher that spins must not outlive a driver that was killed: no child has more than this of a processor."""
    used = sum(resource.getrusage(resource.RUSAGE_SELF)[:2])
    hard = resource.getrlimit(resource.RLIMIT_CPU)[1]
    resource.setrlimit(resource.RLIMIT_CPU, (int(used) + 2 * GUARD, hard))


def run(scenario, inject=None):
    """One launcher under strace; None: it hangs."""
    stage = Stages.of(scenario.endpoint)
    server = Server(stage, scenario.conversation, 0 if scenario.full else 8)
    files = [os.memfd_create(name) for name in ("in", "out", "err")]
    reader, writer = os.pipe()
    try:
        os.pwrite(files[0], scenario.stdin or b"", 0)
        broken = 1 in scenario.streams and scenario.streams[1] == "broken"
        out = broken_pipe() if broken else files[1]
        pipes = {number: os.pipe() for number, how in scenario.streams.items() if how == "pipe"}
        environment = {"CMOX_IPC_TIMEOUT": PATIENCE}
        if not scenario.endpoint:
            environment["CMOX_IPC_SOCKET"] = "unix:" + stage.socket
        bound_children()
        begin = time.monotonic()
        child = subprocess.Popen([shutil.which("strace"), "-qq", "-o", f"/dev/fd/{writer}", *(inject or []),
                                  *command_of(stage, scenario)], env=environment, stdin=files[0],
                                 stdout=pipes[1][1] if 1 in pipes else out,
                                 stderr=pipes[2][1] if 2 in pipes else files[2], pass_fds=[writer], start_new_session=True,
                                 cwd=stage.folder)
        for end in [writer, *(ends[1] for ends in pipes.values())]:
            os.close(end)
        if broken:
            os.close(out)
        log = follow(reader, server, begin + GUARD)
        if log is None:
            os.killpg(child.pid, signal.SIGKILL)
        status = child.wait()
        for number, ends in pipes.items():  # little enough to have fitted
            keep_content(ends[0], files[number])
        made = take_made(stage.folder)
        return log and Outcome(status, content(files[1]), content(files[2]), made, log,
                               time.monotonic() - begin)
    finally:
        server.stop()
        for file in [*files, reader]:
            os.close(file)


def is_one_line(err, before, runs_on):
    """At most the first bytes of what was to be written, then one line of ours. runs_on: there is a real command, which
    may write what is left of them later than that."""
    at = err.find(b"cmdmox: ")
    end = err.find(b"\n", at) + 1 if runs_on else len(err)
    return at >= 0 and before.startswith(err[:at] + err[end:]) and LINE.fullmatch(err[at:end]) is not None


def file_is_lost(log):
    """The close of a file that was written failed: what it holds may be nowhere."""
    closed = [match[1] for line in log if "(INJECTED)" in line and (match := re.match(r"close\((\d+)\)", line))]
    return any(line.startswith(f"write({number},") for number in closed if int(number) > 2 for line in log)


def judge(point, outcome, unharmed):
    """What is wrong, or None."""
    if point.call in BEFORE_MAIN:
        return None if outcome.status == BEFORE_MAIN[point.call] else "it survived: take it off the exceptions"
    if outcome[:4] == unharmed[:4]:
        return "says nothing of a file that is lost" if file_is_lost(outcome.log) else None
    if outcome.status != 125 and outcome.status not in SCENARIOS[point.scenario].also:
        return f"ended with {outcome.status}"
    if not unharmed.out.startswith(outcome.out):
        return "stdout holds something else than the answer"
    if b"no word from the server" in outcome.err and outcome.took < float(PATIENCE):
        return "blames a silence of the server that there was not"
    if is_one_line(outcome.err, unharmed.err, point.scenario.startswith("passed")):
        return None
    line_failed = any(re.match(r'write\(2, "cmdmox: .*\(INJECTED\)', line) for line in outcome.log)
    if line_failed and unharmed.err.startswith(outcome.err):
        return None
    return "not one line of ours on stderr"


def visit(job):
    """(point, what is wrong or None, whether it was reached, seconds)"""
    point, before, unharmed = job
    position = point.position + before
    inject = ["-e", f"inject={point.call}:error={point.errno}:when={position}{'+' if point.for_ever else ''}"]
    scenario = SCENARIOS[point.scenario]
    for _ in range(1 if scenario.varies else ATTEMPTS):
        outcome = run(scenario, inject)
        if outcome is None:
            return point, f"hangs: no end after {GUARD} s", True, GUARD
        hit = [i for i, line in enumerate(outcome.log) if "(INJECTED)" in line]
        started = max(i for i, line in enumerate(outcome.log) if line.startswith("execve("))
        if hit and hit[0] > started:
            wrong = judge(point, outcome, unharmed)
            if wrong:
                wrong += f": stdout {outcome.out[:80]!r}, stderr {outcome.err[:200]!r}"
            return point, wrong, True, outcome.took
    return point, None if scenario.varies else f"never reached in {ATTEMPTS} runs", False, 0


def learn(name):
    """The unharmed run, which must be as the scenario says."""
    scenario = SCENARIOS[name]
    outcome = run(scenario)
    if outcome is None:
        sys.exit(f"{name}: hangs without a fault")
    wanted = (scenario.end, outcome.out if scenario.out is None else scenario.out,
              outcome.err if scenario.line else scenario.err)
    if (outcome.status, outcome.out, outcome.err) != wanted or (scenario.line or b"") not in outcome.err:
        sys.exit(f"{name}: without a fault it ends with {outcome.status}, stdout {outcome.out[:200]!r}, "
                 f"stderr {outcome.err[:200]!r}")
    return outcome


def jobs_of(name):
    """Each position of each call, with each errno."""
    unharmed = learn(name)
    calls, before = own_calls(unharmed.log)
    jobs, seen = [], collections.Counter()
    for call in calls:
        seen[call] += 1
        if call in LEFT_OUT:
            continue
        errnos = [UNREAL.get((call, errno), errno) for errno in ERRNOS]
        points = [Point(name, call, seen[call], errno, False) for errno in errnos]
        points += [Point(name, call, seen[call], errno, True) for errno in (errnos if LONG else errnos[:1])]
        jobs += [(point, before[call], unharmed) for point in points]
    return jobs


def can_trace():
    """None, or why not."""
    if os.environ.get("CMDMOX_SHIM_LIBC", "musl") != "musl":
        return "this launcher is not linked with musl, and another libc calls other things before main"
    if not shutil.which("strace"):
        return "strace is not installed"
    tried = subprocess.run(["strace", "-qq", "-o", "/dev/null", "-e", "inject=getppid:error=EIO", "true"],
                           stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, check=False)
    return None if tried.returncode == 0 else f"strace cannot trace here: {tried.stderr.decode().strip()}"


def sweep(folder):
    use_folder(folder)
    names = sys.argv[1:] or [name for name, scenario in SCENARIOS.items() if LONG or scenario.quick]
    jobs = [job for name in names for job in jobs_of(name)]
    wrong, reached, slowest = 0, 0, (0, None)
    least = sum(not SCENARIOS[point.scenario].varies for point, *_ in jobs)
    with concurrent.futures.ProcessPoolExecutor(JOBS, initializer=use_folder, initargs=(folder,)) as pool:
        for point, problem, visited, took in pool.map(visit, jobs, chunksize=8):
            reached += visited
            slowest = max(slowest, (took, point), key=lambda entry: entry[0])
            if problem:
                wrong += 1
                print(f"{point.scenario}: {point.call} #{point.position} {point.errno}"
                      f"{' for ever' if point.for_ever else ''}: {problem}", flush=True)
    print(f"syscall sweep: {reached} of {len(jobs)} points, {len(names)} of {len(SCENARIOS)} scenarios, "
          f"{len({job[0].call for job in jobs})} system calls; slowest {slowest[0]:.2f} s at {slowest[1]}")
    return 1 if wrong or reached < least or not jobs else 0


def main():
    reason = can_trace()
    if reason:
        print(f"SKIP: {reason}")
        return SKIPPED
    with tempfile.TemporaryDirectory(dir="/tmp", prefix="cmox") as folder:
        return sweep(folder)


if __name__ == "__main__":
    sys.exit(main())
