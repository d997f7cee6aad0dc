"""The pytest plugin where a run is not one test after the other: items that run again, sessions that outlive the tests, workers,
blocks left by what nobody prints, and what fixtures write back."""

import pytest

from suites import suite

pytest_plugins = "pytester"

AGAIN = """
    from _pytest.runner import runtestprotocol

    def pytest_runtest_protocol(item, nextitem):  # what pytest-rerunfailures does
        item.ihook.pytest_runtest_logstart(nodeid=item.nodeid, location=item.location)
        for _ in range(2):
            item._initrequest()
            for report in runtestprotocol(item, nextitem=nextitem, log=False):
                item.ihook.pytest_runtest_logreport(report=report)
        item.ihook.pytest_runtest_logfinish(nodeid=item.nodeid, location=item.location)
        return True
"""


def test_an_item_that_runs_again_has_a_new_session(suite):
    result = suite("""
    runs = []

    def test_it(cmdmox):
        runs.append(cmdmox.session_id)
        assert len(set(runs)) == len(runs)
        cmdmox.mock("made-up").returns("x")
        if len(runs) == 2:
            assert run("made-up").stdout == "x"

    def test_error(cmdmox):
        runs.append(cmdmox.session_id)
        if len(runs) == 3:
            cmdmox.mock("first-run-only")
        else:
            raise RuntimeError("the second run")
    """, conftest=AGAIN)
    result.assert_outcomes(passed=1, failed=3)
    assert result.stdout.str().count("1. never called: mock first-run-only") == 1


MODULE = """
    @pytest.fixture(scope="module")
    def mox():
        mox = CmdMox(environment="none", label="of the module")
        mox.mock("made-up")
        mox.replay()
        yield mox

    def test_it(mox):
        pass
"""


@pytest.mark.parametrize("workers", [[], ["-n2"]], ids=["plain", "xdist"])
def test_a_session_that_no_test_made_and_nobody_verified_fails_the_run(suite, workers):
    if workers:
        pytest.importorskip("xdist")
    result = suite(MODULE, *workers, own_process=True)
    result.assert_outcomes(passed=1)
    assert result.ret == 1
    result.stdout.fnmatch_lines(["*= cmdmox =*", "cmdmox: *the session \"of the module\" (test_it.py:10) ends without verify(), which fails:",
                                 "1. never called: mock made-up (test_it.py:11)*"])


def test_it_is_told_without_a_terminal_too(suite):
    result = suite(MODULE, "-p", "no:terminal", own_process=True)
    assert result.ret == 1
    result.stderr.fnmatch_lines(["cmdmox: the session \"of the module\" (test_it.py:10) ends without verify(), which fails:"])


def test_the_session_of_an_outer_run_goes_on(suite):
    suite("""
    pytest_plugins = "pytester"

    def test_outer(pytester):
        with CmdMox(environment="none") as mox:
            mox.replay()
            pytester.makepyfile("def test_inner(): pass")
            plugin = __import__("sys").modules["cmdmox.pytest_plugin"]
            result = pytester.runpytest_inprocess("-p", "no:cacheprovider", plugins=[plugin])
            assert result.ret == 0 and mox.phase == "replay"
    """).assert_outcomes(passed=1)


def test_a_block_that_the_code_under_test_leaves_by_exit_fails_the_test(suite):
    result = suite("""
    def test_it():
        with pytest.raises(SystemExit):
            with CmdMox() as mox:
                mox.mock("git")
                mox.replay()
                raise SystemExit(0)

    def test_next():
        pass
    """, own_process=True)
    result.assert_outcomes(passed=1, failed=1)
    assert result.ret == 1
    result.stdout.fnmatch_lines(["cmdmox: the session of test_it.py:10: *verification failed: 1 problem"])


def test_monkeypatch_does_not_leave_the_shims_on_path(suite):
    suite("""
    before = os.environ["PATH"]

    def test_it(monkeypatch, cmdmox):
        monkeypatch.setenv("PATH", os.environ["PATH"] + ":/made/up")

    def test_next():
        assert os.environ["PATH"] == before
    """).assert_outcomes(passed=2)


def test_what_the_plugin_calls_is_said_of_the_test(suite, monkeypatch, tmp_path):
    monkeypatch.setenv("CMDMOX_PROGRAM", str(tmp_path / "none"))
    result = suite("""
    def test_it(cmdmox):
        pass
    """)
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(["E *test_it.py:8: CmdMox: *"])
    assert suite is not None and "fixtures.py" not in "".join(line for line in result.outlines if "CmdMox:" in line)


def test_what_it_could_not_replay_is_said_of_the_test(suite):
    result = suite("""
    @pytest.fixture
    def busy():
        with CmdMox() as mox:
            mox.replay()
            yield
            mox.verify()

    def test_it(busy, cmdmox):
        pass
    """)
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(["E *LifecycleError: *test_it.py:15: replay: the session of *"])
