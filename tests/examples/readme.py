#!/usr/bin/env python3
"""README.md shows the example that runs as a test, line by line, and its links lead somewhere."""
import pathlib
import re
import sys

root = pathlib.Path(sys.argv[1])
readme = (root / "README.md").read_text()
example = (root / "tests/examples/test_release.c").read_text()
errors = []
shown = re.search(r"```c\n(.*?)```", readme, re.S)
if not shown or shown.group(1) not in example:
    errors.append("README.md: the C example is not a part of tests/examples/test_release.c")
for document in [root / "README.md", *sorted((root / "docs").rglob("*.md"))]:
    for target in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", document.read_text()):
        if not (document.parent / target).exists():
            errors.append(f"{document.relative_to(root)}: {target} does not exist")
print("\n".join(errors) or "README.md and docs/: fine")
sys.exit(1 if errors else 0)
