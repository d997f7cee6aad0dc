"""The npm packages: what they hold, and that an empty project that installs them needs nothing else of cmdmox."""

import hashlib
import json
import os
import platform
import re
import shutil
import stat
import tarfile
import tempfile
import unittest

from mocking import BUILD, ROOT, is_static, mocked_call, run, skip

MAKE = os.path.join(ROOT, "client/js/npm.sh")
TREE = os.path.join(BUILD, "js")
CPU = {"x86_64": "x64", "aarch64": "arm64"}.get(platform.machine())
place = tempfile.TemporaryDirectory(prefix="cmdmox-npm-")
TARBALLS = os.path.join(place.name, "tarballs")
PROJECT = os.path.join(place.name, "project")
PATH = os.pathsep.join(sorted({os.path.dirname(shutil.which(name) or "/bin/sh") for name in ("node", "npm", "sh", "env")}))
USE = """
const mox = new CmdMox();
mox.mock('cmdmox-tested').withArgs('describe').returns({ stdout: 'v1.4.0\\n', exitCode: 3 });
mox.replay();
const done = spawnSync('cmdmox-tested', ['describe'], { encoding: 'utf8' });
mox.verify();
mox.close();
console.log(done.status, done.stdout);
"""
IMPORT = "import { spawnSync } from 'node:child_process';\nimport { CmdMox } from 'cmdmox';\n"
REQUIRE = "const { spawnSync } = require('node:child_process');\nconst { CmdMox } = require('cmdmox');\n"


def make(folder, **env):
    run("sh", MAKE, folder, os.path.join(TREE, "package"), BUILD, env=env)
    return sorted(os.listdir(folder))


def write(name, text):
    path = os.path.join(PROJECT, name)
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "w", encoding="utf-8") as file:
        file.write(text)
    return path


def version():
    return run(os.path.join(BUILD, "bin/cmdmox"), "version").split()[1]


def tarball(name):
    return os.path.join(TARBALLS, f"{name}-{version()}.tgz")


def manifest(name):
    with tarfile.open(tarball(name)) as archive:
        return json.load(archive.extractfile("package/package.json"))


def install(*tarballs):
    """Into an empty project. The one library is the one that the build has installed: npm is not asked for it again."""
    write("package.json", json.dumps({"private": True}))
    library = os.path.join(TREE, "node_modules/@bufbuild/protobuf")
    packed = run("npm", "pack", "--ignore-scripts", "--silent", "--pack-destination", place.name, library).split()[-1]
    run("npm", "install", "--offline", "--no-audit", "--no-fund", "--loglevel=error", os.path.join(place.name, packed), *tarballs,
        cwd=PROJECT)


def setUpModule():  # pylint: disable=invalid-name
    make(TARBALLS)
    install(tarball("cmdmox"), tarball(f"cmdmox-linux-{CPU}"))


def tearDownModule():  # pylint: disable=invalid-name
    place.cleanup()


class Holds(unittest.TestCase):
    def test_there_are_two_and_their_version_is_the_program_s(self):
        self.assertEqual(sorted(os.listdir(TARBALLS)), sorted(os.path.basename(tarball(name)) for name in ("cmdmox", f"cmdmox-linux-{CPU}")))

    def test_nothing_runs_when_they_are_installed(self):
        for name in ("cmdmox", f"cmdmox-linux-{CPU}"):
            self.assertEqual(set(manifest(name)) & {"scripts", "devDependencies", "gypfile"}, set())

    def test_the_program_is_an_optional_dependency_of_its_platform(self):
        self.assertEqual(manifest("cmdmox")["optionalDependencies"], {f"@cmdmox/linux-{CPU}": version()})
        platform_package = manifest(f"cmdmox-linux-{CPU}")
        self.assertEqual((platform_package["os"], platform_package["cpu"]), (["linux"], [CPU]))

    def test_every_door_is_there_with_its_types(self):
        with tarfile.open(tarball("cmdmox")) as archive:
            names = archive.getnames()
        for entry, conditions in manifest("cmdmox")["exports"].items():
            for file in conditions.values() if isinstance(conditions, dict) else [conditions]:
                self.assertIn(os.path.normpath(f"package/{file}"), names, entry)
                if file.endswith("js"):
                    self.assertIn(os.path.normpath("package/" + re.sub(r"\.(m?)js$", r".d.\1ts", file)), names, entry)

    def test_the_programs_are_static_executable_and_licensed(self):
        with tarfile.open(tarball(f"cmdmox-linux-{CPU}")) as archive:
            for item in archive.getmembers():
                program = item.name.startswith("package/bin/")
                self.assertEqual(stat.S_IMODE(item.mode), 0o755 if program else 0o644, item.name)
                if program:
                    archive.extract(item, place.name)
                    self.assertTrue(is_static(os.path.join(place.name, item.name)), item.name)
            names = archive.getnames()
        for library in ("libc6", "libuv1", "libprotobuf-c", "libpcre2", "libjansson", "libmd", "musl", "nanopb", "uthash"):
            self.assertTrue(any(f"/LICENSE.{library}" in name for name in names), library)

    def test_the_same_sources_give_the_same_bytes(self):
        again = os.path.join(place.name, "again")
        for name in make(again, TMPDIR=place.name, TZ="Pacific/Auckland", LC_ALL="C"):
            digests = set()
            for folder in (again, TARBALLS):
                with open(os.path.join(folder, name), "rb") as file:
                    digests.add(hashlib.sha256(file.read()).hexdigest())
            self.assertEqual(len(digests), 1, name)


class Works(unittest.TestCase):
    def use(self, name, text, *options, path=PATH):
        return run("node", *options, write(name, text), env={"PATH": path}, cwd=PROJECT)

    def test_import(self):
        self.assertEqual(self.use("use.mjs", IMPORT + USE), "3 v1.4.0\n\n")

    def test_require(self):
        self.assertEqual(self.use("use.cjs", REQUIRE + USE), "3 v1.4.0\n\n")

    def compile(self, *files, ok=True):
        options = {"strict": True, "target": "ES2022", "module": "Node16", "outDir": "out", "types": ["node"],
                   "typeRoots": [os.path.join(TREE, "node_modules/@types")], "lib": ["ES2022", "ESNext.Disposable"]}
        write("tsconfig.json", json.dumps({"compilerOptions": options, "files": files}))
        return run("node", os.path.join(TREE, "node_modules/typescript/bin/tsc"), "-p", PROJECT, cwd=PROJECT, ok=ok)

    def test_typescript(self):
        block = USE.replace("const mox", "using mox").replace("mox.close();\n", "")
        for kind in ("mts", "cts"):
            write(f"typed.{kind}", f"{IMPORT}{{\n{block}}}\n")
        self.compile("typed.mts", "typed.cts")
        for kind in ("mjs", "cjs"):
            self.assertEqual(run("node", os.path.join(PROJECT, f"out/typed.{kind}"), env={"PATH": PATH}, cwd=PROJECT), "3 v1.4.0\n\n", kind)

    def test_a_mistake_in_the_types_is_one(self):
        write("wrong.mts", "import { CmdMox } from 'cmdmox';\nnew CmdMox().mock('git').returns({ exitCode: 'one' });\n")
        self.assertRegex(self.compile("wrong.mts", ok=False), r"wrong\.mts\(2,\d+\): error TS2322: Type 'string' is not assignable to type 'number")

    def test_the_command_is_the_program(self):
        command = os.path.join(PROJECT, "node_modules/.bin/cmdmox")
        self.assertEqual(run(command, "--version"), f"cmdmox {version()}\n")
        mocked_call(command)

    def test_without_the_program_it_says_what_to_do(self):
        shutil.move(os.path.join(PROJECT, "node_modules/@cmdmox"), place.name)  # as npm install --omit=optional leaves it
        self.addCleanup(shutil.move, os.path.join(place.name, "@cmdmox"), os.path.join(PROJECT, "node_modules"))
        said = run("node", write("use.mjs", IMPORT + USE), env={"PATH": PATH}, cwd=PROJECT, ok=False)
        for words in ("there is no cmdmox program", "PATH", "CMDMOX_PROGRAM"):
            self.assertIn(words, said)
        self.assertEqual(self.use("use.mjs", IMPORT + USE, path=f"{BUILD}/bin:{PATH}"), "3 v1.4.0\n\n")


if __name__ == "__main__":
    if not is_static(os.path.join(BUILD, "bin/cmdmox")):
        skip("the program is linked dynamically here; configuring says why")
    if CPU is None or shutil.which("cmdmox", path=PATH):
        skip("there are no packages for this machine, or a cmdmox is installed on it")
    unittest.main(verbosity=2)
