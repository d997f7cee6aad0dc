#!/usr/bin/env python3
"""README.md shows examples that run as tests, line by line, and its links lead somewhere."""
import pathlib
import re
import sys
import textwrap

root = pathlib.Path(sys.argv[1])
readme = (root / "README.md").read_text()
examples = [file.read_text() for file in (root / "tests/examples").glob("test_*.c")]
errors = []
shown = re.findall(r"```c\n(.*?)```", readme, re.S)
if not shown:
    errors.append("README.md: no C example")
for block in shown:
    if not any(block in example or textwrap.indent(block, "  ") in example for example in examples):
        errors.append(f"README.md: this C example is not a part of a file in tests/examples:\n{block}")
for document in [root / "README.md", *sorted((root / "docs").rglob("*.md"))]:
    for target in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", document.read_text()):
        if not (document.parent / target).exists():
            errors.append(f"{document.relative_to(root)}: {target} does not exist")
print("\n".join(errors) or "README.md and docs/: fine")
sys.exit(1 if errors else 0)
