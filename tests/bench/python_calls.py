"""Prints what a call costs that a function of Python answers or judges, for cmdmox_bench: for each run one line, the medians in us of
/bin/true, of a call with a handler, and of one with a predicate, taken in turn.

    python_calls.py PACKAGE PROGRAM RUNS CALLS

PACKAGE is the folder to import cmdmox from. One run more than asked is made: the first warms up.
"""

import os
import statistics
import sys
import time

PACKAGE, PROGRAM, RUNS, CALLS = sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
sys.path.insert(0, PACKAGE)

from cmdmox import CmdMox  # noqa: E402  pylint: disable=wrong-import-position


def spawn_us(path, argv, env, actions):
    start = time.perf_counter()
    pid = os.posix_spawn(path, argv, env, file_actions=actions)
    _, status = os.waitpid(pid, 0)
    end = time.perf_counter()
    if status != 0:
        sys.exit(f"{path} ended with wait status {status:#x}")
    return (end - start) * 1e6


def main():
    with CmdMox(environment="none", cmdmox=PROGRAM) as mox:
        handled = mox.stub("handled").runs(lambda call: "v1.4.0\n")
        judged = mox.stub("judged").with_args("describe", lambda value: value == "--tags").returns("v1.4.0\n")
        mox.replay()
        env, actions = mox.environ, [(os.POSIX_SPAWN_OPEN, 1, "/dev/null", os.O_WRONLY, 0)]
        commands = ["/bin/true", f"{mox.shim_directory}/handled", f"{mox.shim_directory}/judged"]
        for run in range(RUNS + 1):
            samples = [[] for _ in commands]
            for _ in range(CALLS):
                for command, taken in zip(commands, samples):
                    taken.append(spawn_us(command, [command, "describe", "--tags"], env, actions))
            if run > 0:
                print(*(f"{statistics.median(taken):.3f}" for taken in samples), flush=True)
        made = (RUNS + 1) * CALLS
        if (handled.call_count, judged.call_count) != (made, made):
            sys.exit(f"{made} calls were made of each, the journal has {handled.call_count} and {judged.call_count}")


main()
