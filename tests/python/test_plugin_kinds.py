"""The pytest plugin in all kinds of tests, and at all ends of them; what a fixture's teardown meets."""

import pytest

from suites import directories, gone, suite

pytest_plugins = "pytester"


# ---- Kinds of tests, and ends of tests -----------------------------------------------------------------------------


def test_methods_of_unittest(suite):
    result = suite("""
    import unittest

    class TestIt(unittest.TestCase):
        @pytest.fixture(autouse=True)
        def doubles(self, cmdmox):
            self.mox = cmdmox

        def test_passes(self):
            self.mox.mock("git").returns("x")
            self.assertEqual(run("git").stdout, "x")

        def test_fails_by_verification(self):
            self.mox.mock("git")

        def test_fails_by_itself(self):
            self.mox.mock("git")
            self.fail("mine")

        def test_skips(self):
            self.mox.mock("git")
            self.skipTest("not today")
    """)
    result.assert_outcomes(passed=1, failed=2, skipped=1)
    result.stdout.fnmatch_lines(["FAILED *test_fails_by_itself - AssertionError: mine",
                                 "FAILED *test_fails_by_verification - cmdmox: verification *"])


def test_coroutines(suite):
    conftest = """
    import asyncio, inspect, pytest

    @pytest.hookimpl(tryfirst=True)
    def pytest_pyfunc_call(pyfuncitem):
        if inspect.iscoroutinefunction(pyfuncitem.obj):
            asyncio.run(pyfuncitem.obj(**{name: pyfuncitem.funcargs[name] for name in pyfuncitem._fixtureinfo.argnames}))
            return True
    """
    result = suite("""
    import asyncio

    async def test_passes(cmdmox):
        cmdmox.mock("made-up").returns("x")
        process = await asyncio.create_subprocess_exec("made-up", stdout=subprocess.PIPE)
        assert (await process.communicate())[0] == b"x"

    async def test_fails(cmdmox):
        cmdmox.mock("made-up")
    """, conftest=conftest)
    result.assert_outcomes(passed=1, failed=1)


def test_skipped_and_expected_to_fail(suite):
    suite("""
    from cmdmox import VerificationError

    def test_skips_in_the_body(cmdmox):
        cmdmox.mock("git")
        pytest.skip("not today")

    @pytest.mark.skip
    def test_is_skipped(cmdmox):
        cmdmox.mock("git")

    @pytest.mark.xfail(raises=VerificationError, strict=True)
    def test_verification_is_expected_to_fail(cmdmox):
        cmdmox.mock("git")

    def test_says_so_in_the_body(cmdmox):
        cmdmox.mock("git")
        pytest.xfail("known")

    @pytest.mark.xfail
    def test_passes_nevertheless(cmdmox):
        cmdmox.stub("git")

    @pytest.mark.xfail(raises=ZeroDivisionError)
    def test_another_failure_is_none_of_these(cmdmox):
        cmdmox.mock("git")
    """).assert_outcomes(skipped=2, xfailed=2, xpassed=1, failed=1)


def test_a_setup_that_fails_is_all_that_is_said(suite):
    result = suite("""
    @pytest.fixture
    def broken(cmdmox):
        cmdmox.mock("git")
        raise ZeroDivisionError("mine")

    def test_it(broken):
        pass

    def test_next(cmdmox):
        cmdmox.stub("git")
        assert run("git").returncode == 0
    """)
    result.assert_outcomes(passed=1, errors=1)
    result.stdout.no_fnmatch_line("*verification failed*")


def test_no_program_is_an_error_of_the_tests_that_ask(suite, monkeypatch, tmp_path):
    monkeypatch.setenv("CMDMOX_PROGRAM", str(tmp_path / "none"))
    result = suite("""
    def test_asks(cmdmox):
        pass

    def test_does_not():
        pass
    """)
    result.assert_outcomes(passed=1, errors=1)
    result.stdout.fnmatch_lines(["*CMDMOX_PROGRAM names */none, which is no file*"])


def test_nothing_is_started_for_tests_that_do_not_ask(suite):
    suite("""
    def test_it(request):
        from cmdmox import _server
        assert not _server._children
    """, own_process=True).assert_outcomes(passed=1)


def test_a_server_that_is_killed_fails_the_test_and_no_other(suite):
    result = suite("""
    import signal

    def test_kills(cmdmox):
        cmdmox.mock("git")
        os.kill(cmdmox.server.process.pid, signal.SIGKILL)

    def test_next(cmdmox):
        cmdmox.mock("git").returns("x")
        assert run("git").stdout == "x"
    """, own_process=True)
    result.assert_outcomes(passed=1, failed=1)
    result.stdout.fnmatch_lines(["*was killed by SIGKILL*"])


def test_ctrl_c_leaves_nothing(suite):
    before = directories()
    result = suite("""
    def test_it(cmdmox):
        cmdmox.mock("git")
        raise KeyboardInterrupt

    def test_next(cmdmox):
        pass
    """, own_process=True)
    assert result.ret == pytest.ExitCode.INTERRUPTED
    result.stdout.fnmatch_lines(["*KeyboardInterrupt*", "*no tests ran*"])
    assert directories() == before


def test_exit_first_and_last_failed(suite):
    text = """
    def test_passes(cmdmox):
        pass

    def test_fails(cmdmox):
        cmdmox.mock("git")

    def test_other(cmdmox):
        pass
    """
    suite(text, "-x", own_process=True).assert_outcomes(passed=1, failed=1)
    result = suite(text, "--lf", own_process=True)
    assert result.parseoutcomes()["failed"] == 1 and "passed" not in result.parseoutcomes()


def test_in_processes_of_their_own(suite):
    before = directories()
    conftest = """
    import os, pickle
    from _pytest.runner import runtestprotocol

    def pytest_runtest_protocol(item, nextitem):
        read, write = os.pipe()
        child = os.fork()
        if child == 0:
            reports = runtestprotocol(item, log=False, nextitem=nextitem)
            data = [item.config.hook.pytest_report_to_serializable(config=item.config, report=each) for each in reports]
            os.write(write, pickle.dumps(data))
            os._exit(0)
        os.close(write)
        with os.fdopen(read, "rb") as pipe:
            for data in pickle.load(pipe):
                item.ihook.pytest_runtest_logreport(report=item.config.hook.pytest_report_from_serializable(config=item.config, data=data))
        os.waitpid(child, 0)
        return True
    """
    result = suite("""
    @pytest.mark.parametrize("number", range(3))
    def test_it(cmdmox, number):
        cmdmox.mock("made-up").returns(str(number))
        assert run("made-up").stdout == str(number)

    def test_fails(cmdmox):
        cmdmox.mock("made-up")
    """, own_process=True, conftest=conftest)
    result.assert_outcomes(passed=3, failed=1)
    result.stdout.fnmatch_lines(["FAILED test_it.py::test_fails - cmdmox: verification failed: 1 problem"])
    assert gone(before)


def test_a_suite_inside_of_a_test(suite):
    suite("""
    import cmdmox.pytest_plugin
    pytest_plugins = "pytester"

    def test_inner(pytester, cmdmox):
        cmdmox.stub("made-up").returns("outer")
        pytester.makepyfile(
            "import subprocess\\n"
            "def test_plain():\\n"
            "    assert subprocess.check_output(['made-up']) == b'outer'\\n"
            "def test_asks(cmdmox):\\n"
            "    pass\\n")
        plugin = __import__("sys").modules["cmdmox.pytest_plugin"]
        result = pytester.runpytest_inprocess("-p", "no:cacheprovider", plugins=[plugin])
        result.assert_outcomes(passed=1, errors=1)
        result.stdout.fnmatch_lines(['*the session "test_it.py::test_inner" * is applied*'])
    """).assert_outcomes(passed=1)


# ---- After the body ------------------------------------------------------------------------------------------------


def test_a_teardown_that_runs_commands_is_told_so(suite):
    result = suite("""
    @pytest.fixture
    def repository(cmdmox):
        yield
        assert run("git", "gc").returncode == 125

    @pytest.mark.parametrize("twice", [1, 2])
    def test_it(repository, cmdmox, twice):
        cmdmox.stub("git")
        run("git", "gc")
    """)
    result.assert_outcomes(passed=2, errors=2)
    result.stdout.fnmatch_lines(["*ERROR at teardown of test_it*", "cmdmox: commands were called after the test's body*",
                                 "  unexpected call: git gc (the test has already called verify)", "*auto_lifecycle=False*"])


def test_a_teardown_of_what_was_set_up_before_has_the_real_commands(suite):
    suite("""
    @pytest.fixture
    def place():
        yield
        assert run("basename", "a/b").stdout.strip() == "b"

    def test_it(place, cmdmox):
        cmdmox.stub("basename").returns("double")
        assert run("basename", "a/b").stdout == "double"
    """).assert_outcomes(passed=1)
