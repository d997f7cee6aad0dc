#!/usr/bin/env python3
"""No text of the repository names a package registry's host or a path of one machine."""

import re

import sources

# Spelt in pieces, so that this file does not break its own rule.
HOSTS = [
    "pypi" + ".org", "files.python" + "hosted.org", "crates" + ".io", "proxy.golang" + ".org",
    "registry.npm" + "js.org", "repo.maven.apache" + ".org", "repo1.maven" + ".org",
    "deb.debian" + ".org", "security.debian" + ".org", "archive.ubuntu" + ".com",
    "dl-cdn.alpinelinux" + ".org", "ghcr" + ".io", "docker" + ".io",
]
PATHS = ["/wo" + "rk/", "/ro" + "ot/"]
HOST = re.compile(r"(?<![\w-])([\w-]+\.)*(" + "|".join(map(re.escape, HOSTS)) + r")(?![\w-])", re.I)
PATH = re.compile(r"(?<![\w.}/*-])(" + "|".join(PATHS) + r")\w")


def main():
    top = sources.root()
    findings = []
    for path in sources.files(top):
        for number, line in enumerate(sources.read(top, path).split("\n"), 1):
            for match in (HOST.search(line), PATH.search(line)):
                if match:
                    findings.append(f"{path}:{number}: {match[0]}")
    sources.finish(findings, "the repository names no registry host and no machine's paths")


main()
