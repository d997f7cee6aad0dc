"""The pytest plugin: what verification makes of a test, the lifecycle, and the session of a test."""

import pytest

from suites import suite

pytest_plugins = "pytester"


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
    ("@pytest.mark.cmdmox(False)", "", "*UsageError: test_it.py::test_it: @pytest.mark.cmdmox(False): it takes auto_lifecycle=True or*"),
    ("@pytest.mark.cmdmox(auto_lifecyle=False)", "", "*@pytest.mark.cmdmox(auto_lifecyle=False): it takes auto_lifecycle=True or*"),
    ("@pytest.mark.cmdmox(auto_lifecycle=0)", "", "*@pytest.mark.cmdmox(auto_lifecycle=0): it takes auto_lifecycle=True or*"),
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
