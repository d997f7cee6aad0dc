"""Prints what a mocked test of bats costs with the original bats-mock and with ours, for cmdmox_bench: for each run one line, the times
in ms of a suite of empty tests, of the same tests mocked by the original, and by ours, taken in turn.

    bats_suites.py ORIGINAL OURS PROGRAM RUNS TESTS

ORIGINAL and OURS are what a suite loads; PROGRAM is cmdmox. A mocked test stubs a command, calls it once, compares what it printed and
unstubs it. One run more than asked is made: the first warms up.
"""

import os
import subprocess
import sys
import tempfile
import time

ORIGINAL, OURS, PROGRAM, RUNS, TESTS = sys.argv[1], sys.argv[2], sys.argv[3], int(sys.argv[4]), int(sys.argv[5])
EMPTY = """
@test "test {n}" {{
  true
}}
"""
MOCKED = """
@test "test {n}" {{
  stub git "push origin : echo done"
  run git push origin
  [ "$output" = done ]
  unstub git
}}
"""


def taken(suite, place):
    """In a folder of its own: the original uses the same files in every test."""
    start = time.perf_counter()
    done = subprocess.run(["bats", "--tap", suite], env={**os.environ, "TMPDIR": place, "CMDMOX_PROGRAM": PROGRAM}, stdin=subprocess.DEVNULL,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
    end = time.perf_counter()
    if done.returncode != 0 or done.stdout.count("\nok ") != TESTS:
        sys.exit(f"{suite}: not all of its tests passed:\n{done.stdout}")
    return (end - start) * 1e3


def main():
    if not os.path.exists(ORIGINAL + ".bash"):
        sys.exit(f"the original bats-mock is not at {ORIGINAL}: ./dev bench installs it by npm")
    with tempfile.TemporaryDirectory(prefix="cmx") as place:
        suites = []
        for name, library, body in (("empty", None, EMPTY), ("original", ORIGINAL, MOCKED), ("ours", OURS, MOCKED)):
            path = os.path.join(place, f"{name}.bats")
            with open(path, "w", encoding="utf-8") as file:
                file.write((f"load '{library}'\n" if library else "") + "".join(body.format(n=n) for n in range(TESTS)))
            suites.append(path)
        for run in range(RUNS + 1):
            times = [taken(suite, place) for suite in suites]
            if run > 0:
                print(*(f"{value:.3f}" for value in times), flush=True)


main()
