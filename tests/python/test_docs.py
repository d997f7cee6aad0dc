"""The examples of the documentation run, as they stand.

Each block of Python is a file of its own: one with tests is run by pytest with the plugin, another one as a program. A block
that begins with `# conftest.py` stands beside the next one.
"""

import os
import pathlib
import re
import subprocess
import sys

import pytest

SOURCE = pathlib.Path(__file__).resolve().parents[2]
PAGES = ["client/python/README.md", "docs/python.md", "docs/migrate/from-cmd-mox.md"]
BLOCK = re.compile(r"^( *)```python\n(.*?)^\1```$", re.MULTILINE | re.DOTALL)
QUICK_START_MOST = 20


def examples():
    for page in PAGES:
        text = (SOURCE / page).read_text(encoding="utf-8")
        conftest = ""
        for match in BLOCK.finditer(text):
            block = match.group(2)
            if block.startswith("# conftest.py\n"):
                conftest = block
                continue
            line = text.count("\n", 0, match.start()) + 1
            yield pytest.param(block, conftest, id=f"{page}:{line}")
            conftest = ""


@pytest.mark.parametrize("block, conftest", list(examples()))
def test_it_runs(block, conftest, tmp_path):
    name = "test_example.py" if re.search(r"^(async )?def test_", block, re.MULTILINE) else "example.py"
    (tmp_path / name).write_text(block, encoding="utf-8")
    if conftest:
        (tmp_path / "conftest.py").write_text(conftest, encoding="utf-8")
    how = ["-m", "pytest", "-q", "-p", "no:cacheprovider", "-p", "cmdmox.pytest_plugin"] if name.startswith("test_") else []
    done = subprocess.run([sys.executable, *how, name], cwd=tmp_path, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stdout


def test_there_are_examples_of_each_page():
    pages = [example.id.partition(":")[0] for example in examples()]
    assert {page: pages.count(page) for page in PAGES} == {"client/python/README.md": 2, "docs/python.md": 7, "docs/migrate/from-cmd-mox.md": 3}


def test_the_quick_starts_are_short():
    for block, _ in (example.values for example in examples() if example.id.startswith("client/python/README.md")):
        assert len(block.splitlines()) < QUICK_START_MOST


def test_what_is_shown_of_a_failure_is_what_pytest_shows(tmp_path):
    """Of the example in docs/python.md, when the code under test says -s."""
    text = (SOURCE / "docs/python.md").read_text(encoding="utf-8")
    code = BLOCK.search(text).group(2).replace('["hostname", "--short"]', '["hostname", "-s"]').replace("check=True", "check=False")
    code = code.replace('    assert greeting() == "Hello from here"', "    greeting()")
    (tmp_path / "test_greeting.py").write_text(code, encoding="utf-8")
    done = subprocess.run([sys.executable, "-m", "pytest", "-p", "no:cacheprovider", "-p", "cmdmox.pytest_plugin", "test_greeting.py"], cwd=tmp_path,
                          env={**os.environ, "COLUMNS": "71"}, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True, timeout=120, check=False)
    shown = re.search(r"^```text\n(.*?)^```$", text, re.MULTILINE | re.DOTALL).group(1)
    assert shown in done.stdout
