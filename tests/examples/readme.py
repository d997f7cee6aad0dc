#!/usr/bin/env python3
"""README.md and docs/install.md show what runs as tests, line by line, and links lead somewhere."""
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
# Those of Python run as parts of its own pages.
for block in re.findall(r"```python\n(.*?)```", readme, re.S):
    if not any(block in (root / page).read_text() for page in ("docs/python.md", "client/python/README.md")):
        errors.append(f"README.md: this Python example is not in docs/python.md, where it runs:\n{block}")
for block in re.findall(r"```js\n(.*?)```", readme, re.S):
    if not any(block in (root / page).read_text() for page in ("docs/javascript.md", "client/js/README.md")):
        errors.append(f"README.md: this JavaScript example is not in docs/javascript.md, where it runs:\n{block}")
# What a project writes to use cmdmox is what tests/install builds.
consumer = root / "tests/install/consumer"
projects = (consumer / "CMakeLists.txt").read_text()
commands = re.sub(r'^eval "(.*)"$', r"\1", (consumer / "build.sh").read_text().replace("$CC ", "cc "), flags=re.M).split("\n")
for document in [root / "README.md", root / "docs/install.md"]:
    text = document.read_text()
    for block in re.findall(r"```cmake\n(.*?)```", text, re.S):
        if block not in projects:
            errors.append(f"{document.name}: this is not a part of {consumer.relative_to(root)}/CMakeLists.txt:\n{block}")
    for line in re.findall(r"^cc .*pkg-config.*$", text, re.M):
        if line not in commands:
            errors.append(f"{document.name}: this is not a line of {consumer.relative_to(root)}/build.sh:\n{line}")
for document in [root / "README.md", *sorted((root / "docs").rglob("*.md"))]:
    for target in re.findall(r"\]\(([^)#:]+)(?:#[^)]*)?\)", document.read_text()):
        if not (document.parent / target).exists():
            errors.append(f"{document.relative_to(root)}: {target} does not exist")
print("\n".join(errors) or "README.md and docs/: fine")
sys.exit(1 if errors else 0)
