"""The pytest plugin: what its users' tests say and leave. Each suite below is run by a pytest of its own, in this process."""

import pytest

import cmdmox.pytest_plugin

pytest_plugins = "pytester"

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
    def start(text, *options, ini="", conftest=""):
        pytester.makeini(f"[pytest]\n{ini}")
        if conftest:
            pytester.makeconftest(conftest)
        pytester.makepyfile(test_it=RUN + text)
        return pytester.runpytest_inprocess("-p", "no:cacheprovider", *options, plugins=[cmdmox.pytest_plugin])

    return start


def test_a_test_declares_in_its_body_and_the_shim_is_there_at_once(suite):
    suite("""
    def test_it(cmdmox):
        with pytest.raises(FileNotFoundError):
            run("made-up")
        cmdmox.mock("made-up").with_args("describe").returns("v1")
        assert run("made-up", "describe").stdout == "v1"
    """).assert_outcomes(passed=1)


def test_what_verification_finds_is_a_failure_and_no_error(suite):
    result = suite("""
    def test_it(cmdmox):
        cmdmox.mock("git").with_args("push")
    """)
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines([
        "*test_it*", "cmdmox: verification failed: 1 problem", "", "1. never called: mock git push (*test_it.py:9), expected exactly 1 call",
        "FAILED test_it.py::test_it - cmdmox: verification failed: 1 problem"])
    result.stdout.no_fnmatch_line("*pytest_plugin*")


def test_the_bodys_own_exception_wins_and_the_report_is_a_section(suite):
    result = suite("""
    def test_it(cmdmox):
        cmdmox.mock("git").with_args("push")
        assert run("git", "pull").returncode == 0
    """)
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["*AssertionError*", "*- cmdmox -*", "cmdmox: verification failed: 2 problems", "1. unexpected call: git pull"])


def test_the_calls_are_a_section_without_their_secrets(suite):
    word = "hunter" + "2"
    result = suite(f"""
    def test_it(cmdmox):
        cmdmox.stub("curl").returns("x", exit_code=3)
        run("curl", "--token={word}", "a b")
        assert False
    """)
    result.stdout.fnmatch_lines(["*cmdmox: the calls*", "1. curl '--token=[*][*][*]' 'a b': status 3, stub (*test_it.py:9)"])
    result = suite("""
    def test_it(cmdmox):
        for _ in range(52):
            cmdmox.stub("curl")
            run("curl")
        assert False
    """)
    result.stdout.fnmatch_lines(["50. curl: status 0, stub *", "and 2 more"])
