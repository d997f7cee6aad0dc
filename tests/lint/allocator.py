#!/usr/bin/env python3
"""Only server/base/alloc.c calls the C library's allocator in the engine, the client library and what they share."""

import re

import sources

SEAM = "server/base/alloc.c"
# uthash's macros allocate too: they are redirected to the seam before the include.
CALL = re.compile(r"(?<![\w.>])(malloc|calloc|realloc|reallocarray|strdup|strndup|free|asprintf|vasprintf)\s*\(")
# Path: why it may call it.
EXCEPTIONS = {}


def main():
    top = sources.root()
    findings = []
    for path in sources.files(top, [".c", ".h"]):
        if not path.startswith(("proto/", "server/", "client/lib/")) or path == SEAM or path in EXCEPTIONS:
            continue
        text = sources.read(top, path)
        for number, line in enumerate(sources.code_lines(text), 1):
            for match in CALL.finditer(line):
                findings.append(f"{path}:{number}: calls {match[1]}()")
        if re.search(r"#\s*include\s*<uthash\.h>", text) and not re.search(r"uthash_malloc", text):
            findings.append(f"{path}: includes <uthash.h> without defining uthash_malloc and uthash_free")
    sources.finish(findings, f"memory comes from {SEAM}, where a test can make it fail")


main()
