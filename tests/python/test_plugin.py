"""The pytest plugin: what its users' tests say and leave. Each suite below is run by a pytest of its own, in this process."""

import glob
import os
import time

import pytest

import cmdmox._cmd_mox_fixture
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


def test_what_a_handler_raised_is_shown(suite):
    result = suite("""
    def helper():
        raise ZeroDivisionError("inside")

    def test_it(cmdmox):
        cmdmox.spy("git").runs(lambda call: helper())
        run("git")
    """)
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["*failed: ZeroDivisionError: inside (*test_it.py:9): git", "*what a handler or a predicate raised*",
                                 "*in helper", "ZeroDivisionError: inside"])


# ---- The lifecycle by hand -----------------------------------------------------------------------------------------


BY_HAND = """
    %s
    def test_it(cmdmox):
        assert cmdmox.phase == "record"
        cmdmox.mock("git")
        cmdmox.replay()
        run("git")
        cmdmox.verify()
"""


@pytest.mark.parametrize("marker, options, ini", [
    ("@pytest.mark.cmdmox(auto_lifecycle=False)", [], ""),
    ("@pytest.mark.cmd_mox(auto_lifecycle=False)", [], ""),
    ("", ["--no-cmdmox-auto-lifecycle"], ""),
    ("", ["--no-cmd-mox-auto-lifecycle"], ""),
    ("", [], "cmdmox_auto_lifecycle = false"),
    ("", [], "cmd_mox_auto_lifecycle = false"),
    ("", [], "cmdmox_auto_lifecycle = no\ncmd_mox_auto_lifecycle = false"),
    ("@pytest.mark.cmdmox(auto_lifecycle=False)", ["--cmdmox-auto-lifecycle"], "cmdmox_auto_lifecycle = true"),
    ("", ["--no-cmd-mox-auto-lifecycle"], "cmd_mox_auto_lifecycle = true"),
    ("@pytest.mark.parametrize('cmdmox', [False], indirect=True)", ["--cmdmox-auto-lifecycle"], ""),
    ("@pytest.mark.cmdmox(auto_lifecycle=True)\n    @pytest.mark.parametrize('cmdmox', [{'auto_lifecycle': False}], indirect=True)", [], ""),
])
def test_the_test_replays_and_verifies_by_itself(suite, marker, options, ini):
    suite(BY_HAND % marker, *options, ini=ini).assert_outcomes(passed=1)


@pytest.mark.parametrize("marker, options, ini", [
    ("", [], ""),
    ("@pytest.mark.cmdmox", [], ""),
    ("@pytest.mark.cmd_mox(auto_lifecycle=True)", ["--no-cmdmox-auto-lifecycle"], "cmdmox_auto_lifecycle = false"),
    ("", ["--no-cmdmox-auto-lifecycle", "--cmd-mox-auto-lifecycle"], ""),
    ("", ["--cmdmox-auto-lifecycle"], "cmd_mox_auto_lifecycle = false"),
])
def test_the_plugin_replays_and_verifies(suite, marker, options, ini):
    result = suite(f"""
    {marker}
    def test_it(cmdmox):
        assert cmdmox.phase == "replay"
        cmdmox.mock("git")
    """, *options, ini=ini)
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["1. never called: mock git*"])


def test_the_closest_marker_counts(suite):
    suite("""
    @pytest.mark.cmdmox(auto_lifecycle=False)
    class TestIt:
        @pytest.mark.cmd_mox(auto_lifecycle=True)
        def test_near(self, cmdmox):
            assert cmdmox.phase == "replay"

        def test_far(self, cmdmox):
            assert cmdmox.phase == "record"
    """).assert_outcomes(passed=2)


@pytest.mark.parametrize("marker, ini, message", [
    ("", "cmdmox_auto_lifecycle = true\ncmd_mox_auto_lifecycle = false", "*say different things: remove one of them"),
    ("@pytest.mark.parametrize('cmdmox', [7], indirect=True)", "", "*parameter of the cmdmox fixture is 7: give True, False*"),
    ("@pytest.mark.parametrize('cmdmox', [{}], indirect=True)", "", "*parameter of the cmdmox fixture is {}: give True, False*"),
])
def test_what_cannot_be_meant_is_an_error(suite, marker, ini, message):
    result = suite(BY_HAND % marker, ini=ini)
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines([message])


def test_a_test_that_forgets_verify_or_replay_fails(suite):
    result = suite("""
    @pytest.mark.cmdmox(auto_lifecycle=False)
    def test_forgets_verify(cmdmox):
        cmdmox.mock("git")
        cmdmox.replay()

    @pytest.mark.cmdmox(auto_lifecycle=False)
    def test_forgets_replay(cmdmox):
        cmdmox.mock("git")
    """)
    result.assert_outcomes(failed=2)
    result.stdout.fnmatch_lines(["*has called replay(), and not verify(), which fails:*", "1. never called: mock git*",
                                 "*has declared doubles, and never called replay()*"])


def test_a_test_may_verify_early_or_end_its_session(suite):
    suite("""
    def test_verifies(cmdmox):
        cmdmox.stub("made-up")
        cmdmox.verify()
        with pytest.raises(FileNotFoundError):
            run("made-up")

    def test_ends(cmdmox):
        with cmdmox:
            cmdmox.stub("made-up")
            cmdmox.verify()
        assert cmdmox.phase == "closed"
    """).assert_outcomes(passed=2)


# ---- One session for each test -------------------------------------------------------------------------------------


def test_each_test_has_a_session_of_its_own_and_its_name(suite):
    suite("""
    seen = set()

    @pytest.mark.parametrize("number", range(3))
    def test_it(cmdmox, number):
        assert cmdmox.label == f"test_it.py::test_it[{number}]"
        assert cmdmox.session_id not in seen and not cmdmox.journal and not cmdmox.doubles
        seen.add(cmdmox.session_id)
        cmdmox.spy("made-up").returns(str(number))
        assert run("made-up").stdout == str(number)
        assert cmdmox.call_count() == 1

    def test_nothing_is_left():
        with pytest.raises(FileNotFoundError):
            run("made-up")
    """).assert_outcomes(passed=4)


def test_both_fixtures_are_one_session(suite):
    suite("""
    @pytest.mark.parametrize("names", [1])
    def test_it(cmdmox, cmd_mox, names):
        assert cmd_mox.session is cmdmox
        cmd_mox.mock("one").returns("1")
        cmdmox.mock("two").returns("2")
        assert run("one").stdout + run("two").stdout == "12"

    def test_the_other_way(cmd_mox, cmdmox):
        assert cmd_mox.session is cmdmox

    @pytest.mark.parametrize("cmd_mox, cmdmox", [(True, False)], indirect=True)
    def test_different(cmd_mox, cmdmox):
        pass
    """).assert_outcomes(passed=2, errors=1)


def test_the_ancestors_fixture(suite):
    result = suite("""
    from cmdmox.compat import Phase, UnexpectedCommandError

    def test_passes(cmd_mox):
        assert cmd_mox.phase is Phase.REPLAY
        git = cmd_mox.mock("git").with_args("describe").returns(stdout="v1")
        assert cmd_mox.mock("git") is git
        assert run("git", "describe").stdout == "v1"
        assert [call.args for call in cmd_mox.journal] == [["describe"]]

    def test_fails(cmd_mox):
        cmd_mox.spy("curl").times_called(2)
        run("curl")

    @pytest.mark.cmd_mox(auto_lifecycle=False)
    def test_by_hand(cmd_mox):
        assert cmd_mox.phase is Phase.RECORD
        cmd_mox.mock("git")
        cmd_mox.replay()
        run("git")
        cmd_mox.verify()
        assert cmd_mox.phase is Phase.VERIFY

    @pytest.mark.xfail(raises=UnexpectedCommandError, strict=True)
    def test_expects_to_fail(cmd_mox):
        cmd_mox.mock("git")
        run("git", "x")
        run("git", "x")
    """)
    result.assert_outcomes(passed=2, failed=1, xfailed=1)
    result.stdout.fnmatch_lines(["*spy curl (*test_it.py:*): expected exactly 2 calls, actual 1"])


def test_the_ancestors_names_are_its_own_where_it_is_installed(suite, pytester):
    pytester.mkpydir("cmd_mox")
    conftest = """
    def pytest_addoption(parser):
        parser.addoption("--cmd-mox-auto-lifecycle", action="store_true")
        parser.addini("cmd_mox_auto_lifecycle", "theirs", type="bool")
    """
    pytester.syspathinsert()
    result = suite("""
    def test_ours(cmdmox):
        pass

    def test_theirs(cmd_mox):
        pass
    """, conftest=conftest)
    result.assert_outcomes(passed=1, errors=1)
    result.stdout.fnmatch_lines(["*fixture 'cmd_mox' not found*"])


def test_a_session_of_a_module_is_the_users_own(suite):
    suite("""
    @pytest.fixture(scope="module")
    def mox():
        with CmdMox(environment="none") as mox:
            mox.stub("made-up").returns("module")
            mox.replay()
            yield mox

    def out(mox):
        return subprocess.run(["/bin/sh", "-c", "made-up"], env=mox.environ, stdout=subprocess.PIPE, text=True, check=True).stdout

    def test_first(mox):
        assert out(mox) == "module"

    def test_second(mox, cmdmox):
        cmdmox.stub("made-up").returns("test")
        assert (out(mox), run("made-up").stdout) == ("module", "test")
        assert mox.call_count() == 2
    """).assert_outcomes(passed=2)


def test_a_module_cannot_have_the_fixture_of_a_test(suite):
    result = suite("""
    @pytest.fixture(scope="module")
    def mox(cmdmox):
        pass

    def test_it(mox):
        pass
    """)
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(["*ScopeMismatch*"])


def test_a_session_that_a_test_leaves_behind_fails_it(suite):
    result = suite("""
    def test_leaves():
        mox = CmdMox()
        mox.stub("git")
        mox.replay()

    def test_next(cmdmox):
        pass

    def test_verified_is_fine():
        mox = CmdMox(environment="none")
        mox.replay()
        mox.verify()
    """)
    result.assert_outcomes(passed=2, failed=1, warnings=result.parseoutcomes().get("warnings", 0))
    result.stdout.fnmatch_lines(["cmdmox: the session of *test_it.py:* ends without verify(), which would have passed*"])


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
