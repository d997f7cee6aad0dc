"""Runs one file of tests, or mypy: /usr/bin/python3 tests/python/run.py pytest tests/python/test_session.py

Without the module it skips, for ctest: status 77.
"""

import importlib.util
import os
import sys

module, *words = sys.argv[1:]
if importlib.util.find_spec(module) is None:
    print(f"skipped: this needs {module} (python3-{module}, or mypy)")
    sys.exit(77)
os.execv(sys.executable, [sys.executable, "-m", module, *words])
