#!/usr/bin/env python3
"""After ctest: every test has a label of budgets.txt, what was left out inside a test is named, and in a whole run
(CMDMOX_BUDGETS=1) no label has taken more time than it may. Silent when there is nothing to say.

usage: budgets.py REPORT < TESTS     REPORT: from ctest --output-junit; TESTS: from ctest --show-only=json-v1
"""

import json
import os
import re
import sys
import xml.etree.ElementTree

BUDGETS = os.path.join(os.path.dirname(os.path.abspath(__file__)), "budgets.txt")
LEFT_OUT = re.compile(r"^SKIP(?::|\b) *(.*)", re.M)


def read_budgets():
    with open(BUDGETS, encoding="utf-8") as file:
        rows = [line.split(maxsplit=2) for line in file if line.strip() and not line.startswith("#")]
    return {row[0]: float(row[1]) for row in rows}


def read_labels(listing):
    """The labels of each test."""
    properties = {test["name"]: test.get("properties", []) for test in json.loads(listing)["tests"]}
    return {name: [label for item in items if item["name"] == "LABELS" for label in item["value"]]
            for name, items in properties.items()}


def main():
    budgets, labels = read_budgets(), read_labels(sys.stdin.read())
    findings, notes, taken = [], [], {}
    for name in sorted(labels):
        if not labels[name]:
            findings.append(f"{name} has no label: give it one of tests/tools/budgets.txt")
        for label in sorted(set(labels[name]) - set(budgets)):
            findings.append(f"the label {label} of {name} has no budget: add it to tests/tools/budgets.txt")
    for case in xml.etree.ElementTree.parse(sys.argv[1]).getroot().iter("testcase"):
        name = case.get("name")
        for label in labels.get(name, []):
            taken[label] = taken.get(label, 0) + float(case.get("time") or 0)
        for what in LEFT_OUT.findall(case.findtext("system-out") or ""):
            notes.append(f"left out in {name}: {what}")
    for label, seconds in sorted(taken.items()):
        if seconds > budgets.get(label, seconds) and os.environ.get("CMDMOX_BUDGETS", "0") not in ("", "0"):
            findings.append(f"the tests labelled {label} took {seconds:.0f} s of the {budgets[label]:.0f} s they may: "
                            "make them faster, or raise tests/tools/budgets.txt and say why")
    for line in notes + findings:
        print(f"cmdmox: {line}", file=sys.stderr)
    sys.exit(1 if findings else 0)


main()
