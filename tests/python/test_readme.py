"""The quick start of client/python/README.md runs as it is written, and is short."""

import os
import re

README = os.path.join(os.path.dirname(os.path.abspath(__file__)), "../../client/python/README.md")


def quick_start():
    with open(README, encoding="utf-8") as file:
        return re.search(r"```python\n(.*?)```", file.read(), re.S)[1]


def test_it_runs_as_written(python):
    assert len(quick_start().splitlines()) < 20
    done = python(quick_start())
    assert (done.status, done.out, done.err) == (0, "", "")


def test_it_fails_where_the_code_is_wrong(python):
    done = python(quick_start().replace('"describe", "--tags"], check', '"describe"], check'))
    assert done.status == 1 and "1. unexpected call: git describe\n" in done.err
    assert "CalledProcessError" in done.err and "cmdmox: verification failed" in done.err  # the exception, and its note
