#!/usr/bin/env python3
"""Includes go downwards only, along the edges of cmake/layers.txt."""

import re

import sources

INCLUDE = re.compile(r'^\s*#\s*include\s*([<"])([^>"]+)[>"]')
FOREIGN = [
    (re.compile(r"^cmdmox/v1/.*\.pb-c\.h$"), "<messages>"),
    (re.compile(r"^(cmdmox/v1/.*\.pb\.h|pb(_common|_encode|_decode)?\.h)$"), "<nanopb>"),
    (re.compile(r"^protobuf-c/"), "<protobuf-c>"),
    (re.compile(r"^(uv\.h$|uv/)"), "<uv>"),
    (re.compile(r"^pcre2"), "<pcre2>"),
    (re.compile(r"^ut(hash|list|array|string)\.h$"), "<uthash>"),
    (re.compile(r"^check\.h$"), "<check>"),
    (re.compile(r"^jansson\.h$"), "<jansson>"),
    (re.compile(r"^sha2\.h$"), "<libmd>"),
]


def read_layers(text):
    """Maps each folder to what it may include; also returns mistakes in the file."""
    layers, mistakes = {}, []
    for number, line in enumerate(text.split("\n"), 1):
        line = line.split("#")[0].strip()
        if not line:
            continue
        folder, _, allowed = line.partition(":")
        allowed = allowed.split()
        for name in allowed:
            if not name.startswith("<") and name not in layers:
                mistakes.append(f"cmake/layers.txt:{number}: {name} does not stand above {folder}")
        layers[folder] = set(allowed) | {folder}
    return layers, mistakes


def part_of(path, layers):
    """The most specific folder of the file that holds the path."""
    fitting = [folder for folder in layers if path.startswith(folder + "/")]
    return max(fitting, key=len) if fitting else None


def target_of(name, including, known, layers):
    """The part an include leads to; None for a system header."""
    for pattern, label in FOREIGN:
        if pattern.match(name):
            return label
    beside = including.rpartition("/")[0] + "/" + name
    for path in (name, beside, *(f"{folder}/{name}" for folder in layers if folder.endswith("/include"))):
        if path in known:
            return part_of(path, layers) or path
    return None


def main():
    top = sources.root()
    layers, findings = read_layers(sources.read(top, "cmake/layers.txt"))
    known = set(sources.files(top))
    for path in sources.files(top, [".c", ".h"]):
        if path.split("/")[0] not in ("proto", "shim", "server", "client"):
            continue
        part = part_of(path, layers)
        if part is None:
            findings.append(f"{path}: its folder is not in cmake/layers.txt")
            continue
        for number, line in enumerate(sources.read(top, path).split("\n"), 1):
            match = INCLUDE.match(line)
            target = target_of(match[2], path, known, layers) if match else None
            if match and match[1] == '"' and target is None:
                findings.append(f'{path}:{number}: "{match[2]}" is no file of this repository; foreign headers stand in <>')
            elif target and target not in layers[part]:
                findings.append(f"{path}:{number}: {part} may not include {match[2]} ({target})")
    sources.finish(findings, "includes only go downwards; cmake/layers.txt lists the edges")


main()
