"""Suites of tests that are run with the pytest plugin, each by a pytest of its own, in this process or in another."""

import glob
import os
import time

import pytest

import cmdmox._cmd_mox_fixture
import cmdmox.pytest_plugin

RUN = """
    import os, subprocess
    import pytest
    from cmdmox import CmdMox

    def run(*argv):
        return subprocess.run(argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
"""


@pytest.fixture
def suite(pytester):
    """Runs tests with the plugin; what became of them."""
    def start(text, *options, ini="", conftest="", own_process=False):
        pytester.makeini(f"[pytest]\n{ini}")
        if conftest:
            pytester.makeconftest(conftest)
        pytester.makepyfile(test_it=RUN + text)
        if own_process:
            return pytester.runpytest_subprocess("-p", "cmdmox.pytest_plugin", *options, timeout=120)
        return pytester.runpytest_inprocess("-p", "no:cacheprovider", *options, plugins=[cmdmox.pytest_plugin])

    return start


def directories():
    """Those of the servers."""
    return sorted(glob.glob(os.path.join(os.environ["CMOX_TMPDIR"], "cmdmox-*")))


def gone(before):
    """Whether there are no others, as soon as the servers of processes that just died have ended."""
    for _ in range(600):
        if directories() == before:
            return True
        time.sleep(0.05)
    return False
