"""Runs features:  /usr/bin/python3 tests/features/run.py tests/features/order.feature [--name "A part of a scenario"]"""

import sys

try:
    from behave.__main__ import main
except ImportError:
    print("skipped: the features need behave (python3-behave)")
    sys.exit(77)

sys.exit(main(["--format", "plain", "--no-color", "--no-timings", "--no-skipped", *sys.argv[1:]]))
