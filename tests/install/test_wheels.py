"""The wheels of the Python package: what they hold and claim, and that they work where nothing else of cmdmox is."""

import base64
import csv
import hashlib
import io
import os
import platform
import shutil
import stat
import sys
import tempfile
import unittest
import zipfile

from mocking import BUILD, ROOT, is_static, mocked_call, run, skip

MAKE = os.path.join(ROOT, "client/python/wheels.sh")
MACHINE = platform.machine()
PLATFORM = f"py3-none-manylinux_2_17_{MACHINE}.musllinux_1_1_{MACHINE}"
QUICK_START = """
import subprocess
from cmdmox import CmdMox

with CmdMox() as mox:
    mox.mock("cmdmox-tested").with_args("describe").returns("v1.4.0\\n", exit_code=3)
    mox.replay()
    done = subprocess.run(["cmdmox-tested", "describe"], stdout=subprocess.PIPE, text=True)
    mox.verify()
print(done.returncode, done.stdout)
"""
place = tempfile.TemporaryDirectory(prefix="cmdmox-wheels-")
WHEELS = os.path.join(place.name, "wheels")
VENV = os.path.join(place.name, "venv")
PYTHON = os.path.join(VENV, "bin/python")
PATH = "/usr/bin:/bin"  # has no cmdmox, or the test is skipped


def make(folder, **env):
    run("sh", MAKE, folder, os.path.join(BUILD, "python"), BUILD, env={"CMDMOX_PYTHON": sys.executable, **env})
    return sorted(os.listdir(folder))


def wheel(tag):
    return os.path.join(WHEELS, f"cmdmox-{version()}-{tag}.whl")


def version():
    return run(os.path.join(BUILD, "bin/cmdmox"), "version").split()[1]


def setUpModule():  # pylint: disable=invalid-name
    make(WHEELS)
    run(sys.executable, "-m", "venv", "--system-site-packages", VENV)


def tearDownModule():  # pylint: disable=invalid-name
    place.cleanup()


class Holds(unittest.TestCase):
    def test_there_are_two_and_their_version_is_the_program_s(self):
        self.assertEqual(sorted(os.listdir(WHEELS)), sorted(os.path.basename(wheel(tag)) for tag in (PLATFORM, "py3-none-any")))

    def test_the_record_is_right(self):
        for tag in (PLATFORM, "py3-none-any"):
            with zipfile.ZipFile(wheel(tag)) as archive:
                self.check_record(archive)

    def check_record(self, archive):
        info = f"cmdmox-{version()}.dist-info"
        record = {row[0]: row[1:] for row in csv.reader(io.StringIO(archive.read(f"{info}/RECORD").decode()))}
        self.assertEqual(sorted(record), sorted(archive.namelist()))
        self.assertEqual(record.pop(f"{info}/RECORD"), ["", ""])
        for name, (digest, size) in record.items():
            data = archive.read(name)
            hashed = base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=").decode()
            self.assertEqual((f"sha256={hashed}", str(len(data))), (digest, size), name)

    def test_the_tags_are_those_of_the_name(self):
        for tag, pure in ((PLATFORM, "false"), ("py3-none-any", "true")):
            with zipfile.ZipFile(wheel(tag)) as archive:
                lines = archive.read(f"cmdmox-{version()}.dist-info/WHEEL").decode().splitlines()
            python, abi, platforms = tag.split("-")
            self.assertEqual([line for line in lines if line.startswith("Tag: ")],
                             [f"Tag: {python}-{abi}-{name}" for name in platforms.split(".")])
            self.assertIn(f"Root-Is-Purelib: {pure}", lines)

    def test_the_files_are_those_of_the_package(self):
        for tag in (PLATFORM, "py3-none-any"):
            with zipfile.ZipFile(wheel(tag)) as archive:
                names = archive.namelist()
            sources = os.path.join(ROOT, "client/python/src")
            built = [os.path.relpath(os.path.join(folder, name), sources) for folder, _, files in os.walk(sources)
                     for name in files if not name.endswith(".pyc")]
            built += [f"cmdmox/v1/{name[:-6]}_pb2.{end}" for name in os.listdir(os.path.join(ROOT, "proto/cmdmox/v1"))
                      if name.endswith(".proto") for end in ("py", "pyi")]
            ours = [name for name in names if not name.startswith(f"cmdmox-{version()}.") and "/_bin/" not in name]
            self.assertEqual(sorted(ours), sorted(built))
            self.assertIn("cmdmox/v1/control_pb2.py", ours)

    def test_the_programs_are_static_executable_and_licensed(self):
        with zipfile.ZipFile(wheel(PLATFORM)) as archive:
            modes = {item.filename: stat.S_IMODE(item.external_attr >> 16) for item in archive.infolist()}
            data = f"cmdmox-{version()}.data/data"
            twice = {"cmdmox/_bin/cmdmox": f"{data}/bin/cmdmox", "cmdmox/_bin/cmdmox-shim": f"{data}/libexec/cmdmox/cmdmox-shim"}
            executable = [*twice, *twice.values()]
            for name, mode in modes.items():
                self.assertIn(mode, [0o755] if name in executable else [0o644, 0o664], name)
            for one, other in twice.items():
                self.assertEqual(archive.read(one), archive.read(other))
                self.assertTrue(is_static(archive.extract(one, place.name)), one)
            for library in ("libc6", "libuv1", "libprotobuf-c", "libpcre2", "libjansson", "libmd", "musl", "nanopb", "uthash"):
                self.assertTrue(any(f"/LICENSE.{library}" in name for name in modes), library)

    def test_the_same_sources_give_the_same_bytes(self):
        again = os.path.join(place.name, "again")
        for name in make(again, TMPDIR=place.name, TZ="Pacific/Auckland", LC_ALL="C"):
            with open(os.path.join(again, name), "rb") as one, open(os.path.join(WHEELS, name), "rb") as other:
                self.assertTrue(one.read() == other.read(), name)


class Works(unittest.TestCase):
    """In one virtual environment, one wheel after the other."""

    def install(self, tag):
        run(PYTHON, "-m", "pip", "install", "--no-index", "--no-deps", "--disable-pip-version-check", wheel(tag))
        self.addCleanup(run, PYTHON, "-m", "pip", "uninstall", "-y", "cmdmox")

    def start(self, path=PATH, ok=True):
        return run(PYTHON, "-c", QUICK_START, env={"PATH": path}, ok=ok, cwd=place.name)

    def test_with_the_program(self):
        self.install(PLATFORM)
        self.assertEqual(self.start(), "3 v1.4.0\n\n")
        found = run(PYTHON, "-c", "from cmdmox._program import find; print(find())", env={"PATH": PATH}, cwd=place.name)
        self.assertTrue(found.startswith(VENV) and found.endswith("/site-packages/cmdmox/_bin/cmdmox\n"), found)
        command = os.path.join(VENV, "bin/cmdmox")
        self.assertEqual(run(command, "--version"), f"cmdmox {version()}\n")
        mocked_call(command)

    def test_nothing_is_left_of_it(self):
        self.install(PLATFORM)
        self.doCleanups()
        left = [os.path.join(folder, name) for folder, _, files in os.walk(VENV) for name in files if "cmdmox" in folder + name]
        self.assertEqual([name for name in left if "cmdmox" in os.path.relpath(name, VENV)], [])

    def test_without_the_program(self):
        self.install("py3-none-any")
        self.assertFalse(os.path.exists(os.path.join(VENV, "bin/cmdmox")))
        self.assertEqual(self.start(path=f"{BUILD}/bin:{PATH}"), "3 v1.4.0\n\n")
        said = self.start(ok=False)
        for words in ("there is no cmdmox program", "not on PATH", "Install cmdmox"):
            self.assertIn(words, said)


if __name__ == "__main__":
    if not is_static(os.path.join(BUILD, "bin/cmdmox")):
        skip("the program is linked dynamically here; configuring says why")
    if shutil.which("cmdmox", path=PATH):
        skip("a cmdmox is installed on this system")
    for module in ("build", "setuptools", "wheel", "pip", "ensurepip"):
        if os.system(f"{sys.executable} -c 'import {module}' 2>/dev/null") != 0:
            skip(f"the Python package {module} is not installed; ./dev wheels installs it")
    unittest.main(verbosity=2)
