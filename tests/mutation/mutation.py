#!/usr/bin/env python3
"""Breaks each rule of rules.toml on purpose and sees its test fail.

usage: mutation.py --check SOURCE_DIR          each edit fits one place of its file, and its test exists
       mutation.py SOURCE_DIR BUILD_DIR [WORD...]  builds a copy of the sources, breaks the rules (those whose text
                                               holds one of the words), and runs the tests; 1 when one passes all the same
"""
import os
import pathlib
import shutil
import subprocess
import sys

try:
    import tomllib
except ImportError:
    print("skipped: Python 3.11 is needed")
    sys.exit(77)

JOBS = os.environ.get("CMDMOX_JOBS") or str(os.cpu_count())
GUARD = 60  # seconds for one test: a rule whose breaking makes it hang is noticed too


def rules(root):
    return tomllib.loads((root / "tests/mutation/rules.toml").read_text())["rule"]


def test_file(root, name):
    """The file that makes a test."""
    label, short = name.split("/")
    if short.startswith("language_"):
        return root / f"tests/features/{short.removeprefix('language_')}.feature"
    return root / f"tests/{label}/test_{short}.{'py' if label == 'acceptance' else 'c'}"


def target(name):
    """What is built for a test."""
    label, short = name.split("/")
    return "cmdmox_program" if label == "acceptance" else f"{label}_test_{short}"


def check(root):
    errors, seen = [], set()
    for rule in rules(root):
        found = (root / rule["file"]).read_text().count(rule["line"])
        if found != 1:
            errors.append(f"{rule['says']}: {rule['file']} has its line {found} times, not once:\n  {rule['line']}")
        if not test_file(root, rule["test"]).exists():
            errors.append(f"{rule['says']}: there is no test {rule['test']}")
        if rule["says"] in seen:
            errors.append(f"{rule['says']}: twice")
        seen.add(rule["says"])
    print("\n".join(errors) or f"{len(seen)} rules, each with a place to break it")
    return 1 if errors else 0


def run(*command):
    return subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)


def must(*command):
    done = run(*command)
    if done.returncode:
        sys.exit(f"{' '.join(map(str, command))} failed:\n{done.stdout[-4000:]}")


def copy_sources(root, copy):
    """The tracked and the new files; one that is the same keeps its time, so that little is built again."""
    listed = subprocess.run(["git", "-C", root, "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
                            stdout=subprocess.PIPE, check=True).stdout.decode().split("\0")
    names = {name for name in listed if name and (root / name).exists()}
    for file in copy.rglob("*"):
        if file.is_file() and str(file.relative_to(copy)) not in names:
            file.unlink()
    for name in names:
        to = copy / name
        if to.exists() and to.read_bytes() == (root / name).read_bytes():
            continue
        to.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(root / name, to)  # not its time: what is newer than its object is built


class Build:
    def __init__(self, root, folder):
        self.copy, self.build = folder / "source", folder / "build"
        self.copy.mkdir(parents=True, exist_ok=True)
        copy_sources(root, self.copy)
        must("cmake", "-S", self.copy, "-B", self.build, "-G", "Ninja", "-DCMAKE_BUILD_TYPE=Debug",
             "-DCMAKE_C_FLAGS=-Wno-error")

    def make(self, *targets):
        return run("cmake", "--build", self.build, "-j", JOBS, "--target", *targets)

    def test(self, *names):
        pattern = "|".join(f"^{name}$" for name in names)
        return run("ctest", "--test-dir", self.build, "-j", JOBS, "--timeout", str(GUARD), "--no-tests=error",
                   "--output-on-failure", "-R", pattern)

    def broken(self, rule):
        """What went wrong with breaking this rule; None: its test failed, as it must."""
        file = self.copy / rule["file"]
        whole = file.read_text()
        file.write_text(whole.replace(rule["line"], rule["broken"]))
        try:
            made = self.make(target(rule["test"]))
            if made.returncode:
                return f"it does not compile when broken:\n{made.stdout[-2000:]}"
            tested = self.test(rule["test"])
            if "(Skipped)" in tested.stdout or "No tests were found" in tested.stdout:
                return f"{rule['test']} did not run:\n{tested.stdout[-2000:]}"
            return None if tested.returncode else f"{rule['test']} passes all the same"
        finally:
            file.write_text(whole)


def main():
    if sys.argv[1] == "--check":
        return check(pathlib.Path(sys.argv[2]))
    root, folder, words = pathlib.Path(sys.argv[1]).resolve(), pathlib.Path(sys.argv[2]).resolve(), sys.argv[3:]
    if check(root):
        return 1
    chosen = [rule for rule in rules(root) if not words or any(word in rule["says"] for word in words)]
    tests = sorted({rule["test"] for rule in chosen})
    build = Build(root, folder)
    made = build.make("cmdmox_program", "cmdmox-shim", "cmdmox_python_gen", *{target(test) for test in tests})
    if made.returncode:
        sys.exit(f"the sources do not compile as they are:\n{made.stdout[-4000:]}")
    whole = build.test(*tests)
    if whole.returncode or "(Skipped)" in whole.stdout:
        sys.exit(f"the tests must pass before anything is broken:\n{whole.stdout[-6000:]}")
    unnoticed = 0
    for number, rule in enumerate(chosen, 1):
        why = build.broken(rule)
        unnoticed += why is not None
        print(f"{number}/{len(chosen)} {'NOT NOTICED' if why else 'noticed by ' + rule['test']}: {rule['says']}", flush=True)
        if why:
            print("  " + why.replace("\n", "\n  "), flush=True)
    print(f"{len(chosen) - unnoticed} of {len(chosen)} broken rules were noticed")
    return 1 if unnoticed else 0


sys.exit(main())
