#!/usr/bin/env python3
"""A finding of an analyser is silenced by name and with a reason:

    // NOLINT(bugprone-branch-clone): each row stands for itself
    // cppcheck-suppress nullPointer ; the caller has checked it

A line that no test executes is not hidden from the count: it stands in docs/coverage.md.
"""

import re

import sources

NOLINT = re.compile(r"NOLINT(NEXTLINE|BEGIN|END)?(?P<rest>.*)")
NOLINT_GOOD = re.compile(r"^\([\w.,* -]+\):? +\S.{7,}")
COVERAGE = re.compile(r"\b(GCOVR?|LCOV)_EXCL\w*")
CPPCHECK = re.compile(r"cppcheck-suppress\S*(?P<rest>.*)")
CPPCHECK_GOOD = re.compile(r"^ +[\w\[\],]+ *(;|//) *\S.{7,}")


def main():
    top = sources.root()
    findings = []
    for path in sources.files(top, [".c", ".h"]):
        for number, line in enumerate(sources.read(top, path).split("\n"), 1):
            if marker := COVERAGE.search(line):
                findings.append(f"{path}:{number}: {marker[0]} hides lines from the coverage")
            nolint, cppcheck = NOLINT.search(line), CPPCHECK.search(line)
            bare_end = nolint and nolint[1] == "END" and re.match(r"^\([\w.,* -]+\)", nolint["rest"])
            if nolint and not bare_end and not NOLINT_GOOD.match(nolint["rest"]):
                findings.append(f"{path}:{number}: {nolint[0].strip()}")
            if cppcheck and not CPPCHECK_GOOD.match(cppcheck["rest"]):
                findings.append(f"{path}:{number}: {cppcheck[0].strip()}")
    sources.finish(findings, "NOLINT(check): reason, or cppcheck-suppress id ; reason")


main()
