#!/usr/bin/env python3
"""The installed tree: it holds what it should and nothing of the build, a project uses it in every way that
docs/install.md tells, and all of that still works after the tree was moved. Each place has a space in its name."""

import os
import re
import shlex
import shutil
import tempfile
import unittest

from google.protobuf import descriptor_pb2

from mocking import BUILD, HERE, ROOT, mocked_call, skip
from mocking import run as run_anywhere

LIB = os.environ["CMDMOX_LIBDIR"]
CONFIGURED = os.environ["CMDMOX_PREFIX"]
CC = os.environ.get("CC", "cc")
CONSUMER = os.path.join(HERE, "consumer")
SHARED = ("test_plain", "test_check")
STATIC = ("test_static", "test_check_static")
HEADERS = ("cmdmox.h", "answers.h", "base.h", "calls.h", "matchers.h", "check.h", "engine.h", "codes.h")

place = tempfile.TemporaryDirectory(prefix="cmdmox install ")
PREFIX = os.path.join(place.name, "the prefix")
MOVED = os.path.join(place.name, "moved here")


def run(*command, cwd=place.name, **more):
    return run_anywhere(*command, cwd=cwd, **more)


def install(prefix, **env):
    run("cmake", "--install", BUILD, "--prefix", prefix, env=env)


def tree(top):
    """Relative path of each file and link, sorted as the manifest."""
    return sorted(os.path.relpath(os.path.join(folder, name), top) for folder, _, names in os.walk(top) for name in names)


def verbs():
    """What "cmdmox help" lists: two blanks, the verb, more blanks, what it is."""
    lines = run(os.path.join(PREFIX, "bin/cmdmox"), "help").splitlines()
    return [re.split("  +", line)[1] for line in lines if line.startswith("  ")]


def setUpModule():  # pylint: disable=invalid-name
    install(PREFIX)


def tearDownModule():  # pylint: disable=invalid-name
    place.cleanup()


def files_of(descriptor_set):
    return {file.name: file for file in descriptor_pb2.FileDescriptorSet.FromString(descriptor_set).file}


def consumer(name):
    """A fresh copy of the project, as its author has it."""
    return shutil.copytree(CONSUMER, os.path.join(place.name, name))


class Holds(unittest.TestCase):
    def test_the_files_are_the_manifest(self):
        with open(os.path.join(HERE, "files.txt"), encoding="ascii") as file:
            expected = file.read().replace("LIB/", LIB + "/")
        kind = next(name for name in tree(PREFIX) if "/cmdmox-targets-" in name)
        expected = expected.replace("TYPE", kind.split("-")[-1].removesuffix(".cmake"))
        pages = ["share/man/man1/cmdmox-" + verb.replace(" ", "-") + ".1" for verb in verbs()]
        expected = expected.replace("share/man/man1/cmdmox-VERB.1", " ".join(pages))
        self.assertEqual(tree(PREFIX), sorted(expected.split()))

    def test_staging_gives_the_same_files(self):
        """DESTDIR, as packagers install; no file knows where it will stand."""
        stage = os.path.join(place.name, "a stage")
        install("/opt/cmd mox", DESTDIR=stage)
        staged = os.path.join(stage, "opt", "cmd mox")
        self.assertEqual(tree(staged), tree(PREFIX))
        for name in tree(staged):
            with open(os.path.join(staged, name), "rb") as one, open(os.path.join(PREFIX, name), "rb") as other:
                self.assertEqual(one.read(), other.read(), name)

    def test_nothing_names_the_build_or_the_sources(self):
        for name in tree(PREFIX):
            path = os.path.join(PREFIX, name)
            if "/libcmdmox." in name or name == "bin/cmdmox":  # the debugger's own sections may
                stripped = os.path.join(place.name, "stripped")
                run("objcopy", "--strip-debug", path, stripped)
                path = stripped
            with open(path, "rb") as file:
                data = file.read()
            for folder in (BUILD, ROOT, PREFIX):
                at = data.find(os.fsencode(folder))
                self.assertEqual(at, -1, f"{name} holds {data[at:at + 160]!r}")

    def test_soname_and_needs(self):
        dynamic = run("readelf", "-dW", os.path.join(PREFIX, LIB, "libcmdmox.so"))
        self.assertIn("Library soname: [libcmdmox.so.0]", dynamic)
        for word in ("RPATH", "RUNPATH", "TEXTREL"):
            self.assertNotIn(word, dynamic)
        self.assertEqual(os.readlink(os.path.join(PREFIX, LIB, "libcmdmox.so.0")), "libcmdmox.so.0.1.0")

    def test_the_archive_keeps_to_its_names(self):
        """Its symbols share one namespace with the consumer's own; only the public ones are visible beyond a link."""
        symbols = run("readelf", "-sW", os.path.join(PREFIX, LIB, "libcmdmox.a")).split("\n")
        rows = [row.split() for row in symbols if " GLOBAL " in row and " UND " not in row]
        self.assertGreater(len(rows), 100)
        foreign = [row[7] for row in rows if not row[7].startswith(("cmox_", "cmdmox__v1__"))]
        self.assertEqual([name for name in foreign if not name.startswith("__odr_asan")], [])
        with open(os.path.join(ROOT, "tests/integration/exports.txt"), encoding="ascii") as file:
            self.assertEqual(sorted(row[7] for row in rows if row[5] == "DEFAULT"), file.read().split())

    def test_each_header_stands_alone(self):
        languages = [("c11", "c", [CC])]
        if shutil.which("c++"):
            languages.append(("c++17", "c++", ["c++", "-Wno-missing-field-initializers"]))
        self.assertEqual(sorted(HEADERS), sorted(name for name in os.listdir(os.path.join(PREFIX, "include/cmdmox"))
                                                 if name.endswith(".h")))
        for standard, language, compiler in languages:
            for header in HEADERS:
                one = os.path.join(place.name, "one." + language)
                with open(one, "w", encoding="ascii") as file:
                    file.write(f"#include <cmdmox/{header}>\n")
                run(*compiler, f"-std={standard}", "-Wall", "-Wextra", "-Werror", "-pedantic", "-fsyntax-only",
                    "-x", language, "-I", os.path.join(PREFIX, "include"), one)

    def test_the_descriptor_set_is_of_the_schema_beside_it(self):
        proto = os.path.join(PREFIX, "share/cmdmox/proto")
        made = os.path.join(place.name, "made.binpb")
        names = [name for name in tree(proto) if name.endswith(".proto")]
        run("protoc", "-I", proto, "--include_imports", "--descriptor_set_out=" + made, *names)
        with open(made, "rb") as one, open(os.path.join(proto, "cmdmox.v1.binpb"), "rb") as other:
            self.assertEqual(files_of(one.read()), files_of(other.read()))


class Serves(unittest.TestCase):
    """In PREFIX, then in MOVED: tests run in the order of their names, and test_4 moves the tree."""

    def check_program(self, prefix):
        program = os.path.join(prefix, "bin/cmdmox")
        self.assertRegex(run(program, "version"), r"\Acmdmox \d+\.\d+\.\d+\n\Z")
        self.assertIn("--stdio", run(program, "serve", "--help"))
        mocked_call(program)  # the shim is found from the program

    def check_cmake(self, prefix, name):
        source = consumer(name)
        build = os.path.join(source, "build")
        run("cmake", "-G", "Ninja", "-S", source, "-B", build, "-DCMAKE_PREFIX_PATH=" + prefix, "-DCMAKE_C_COMPILER=" + CC)
        run("cmake", "--build", build)
        run("ctest", "--test-dir", build, "--output-on-failure", "--no-tests=error")

    def check_pkg_config(self, prefix, name):
        source = consumer(name)
        where = os.path.join(prefix, LIB, "pkgconfig")
        run("sh", "build.sh", env={"PKG_CONFIG_PATH": where, "CC": CC}, cwd=source)
        self.check_programs(prefix, source)

    def check_programs(self, prefix, folder):
        for program in SHARED:  # the shim is found from the library
            run(os.path.join(folder, program), env={"LD_LIBRARY_PATH": os.path.join(prefix, LIB)})
        for program in STATIC:
            self.assertNotIn("libcmdmox", run("readelf", "-d", os.path.join(folder, program)))
            run(os.path.join(folder, program), env={"CMOX_SHIM": os.path.join(prefix, "libexec/cmdmox/cmdmox-shim")})

    def test_1_where_it_was_installed(self):
        self.check_program(PREFIX)
        self.check_cmake(PREFIX, "by cmake")
        self.check_pkg_config(PREFIX, "by pkg-config")

    def test_2_another_minor_version_is_refused(self):
        for version, found in (("0.1", True), ("0.0", False), ("0.2", False), ("9", False)):
            source = os.path.join(place.name, "asks for " + version)
            os.mkdir(source)
            with open(os.path.join(source, "CMakeLists.txt"), "w", encoding="ascii") as file:
                file.write(f"cmake_minimum_required(VERSION 3.25)\nproject(asks NONE)\nfind_package(cmdmox {version} REQUIRED)\n")
            text = run("cmake", "-G", "Ninja", "-S", source, "-B", source + "/build", "-DCMAKE_PREFIX_PATH=" + PREFIX, ok=found)
            if not found:
                self.assertIn("version: 0.1.0", text)

    def test_3_a_missing_library_is_named(self):
        """Only the archive needs other libraries; without them the shared one is still found."""
        empty = {"PKG_CONFIG_LIBDIR": place.name}
        for components, found in (("", True), ("COMPONENTS static", False), ("COMPONENTS nonsense", False)):
            source = os.path.join(place.name, "misses " + components)
            os.mkdir(source)
            with open(os.path.join(source, "CMakeLists.txt"), "w", encoding="ascii") as file:
                file.write("cmake_minimum_required(VERSION 3.25)\nproject(misses C)\n"
                           f"find_package(cmdmox REQUIRED {components})\nget_target_property(x cmdmox::cmdmox TYPE)\n"
                           "if(TARGET cmdmox::cmdmox_static)\nmessage(FATAL_ERROR unexpected)\nendif()\n")
            text = run("cmake", "-G", "Ninja", "-S", source, "-B", source + "/build", "-DCMAKE_PREFIX_PATH=" + PREFIX,
                       env=empty, ok=found)
            if "static" in components:
                self.assertIn("libprotobuf-c >= 1.4, libuv, libpcre2-8, jansson, libmd", " ".join(text.split()))
            if "nonsense" in components:
                self.assertIn("nonsense", text)

    def test_4_after_it_was_moved(self):
        os.rename(PREFIX, MOVED)
        self.check_program(MOVED)
        self.check_programs(MOVED, os.path.join(place.name, "by pkg-config"))  # built before the move
        self.check_programs(MOVED, os.path.join(place.name, "by cmake", "build"))
        self.check_cmake(MOVED, "by cmake, moved")
        self.check_pkg_config(MOVED, "by pkg-config, moved")

    def test_5_what_pkg_config_static_lists_suffices(self):
        """On a system that has only the archive, `pkg-config --static --libs cmdmox` links it."""
        alone = os.path.join(place.name, "archive alone")
        os.mkdir(alone)
        shutil.copy(os.path.join(MOVED, LIB, "libcmdmox.a"), alone)
        env = {"PKG_CONFIG_PATH": os.path.join(MOVED, LIB, "pkgconfig")}
        flags = shlex.split(run("pkg-config", "--static", "--cflags", "--libs", "cmdmox", env=env))
        flags = [flag for flag in flags if flag != "-L" + os.path.join(MOVED, LIB)]
        program = os.path.join(place.name, "linked")
        run(CC, os.path.join(CONSUMER, "test_plain.c"), "-o", program, "-L", alone, *flags)
        run(program, env={"CMOX_SHIM": os.path.join(MOVED, "libexec/cmdmox/cmdmox-shim")})

    def test_6_a_static_program_finds_the_shim_beside_itself(self):
        """As in an installation of its own; elsewhere it says where it looked and what to do."""
        static = os.path.join(place.name, "by pkg-config", "test_static")
        os.makedirs(os.path.join(place.name, "own", "bin"))
        own = shutil.copy(static, os.path.join(place.name, "own", "bin"))
        if not any(os.path.exists(os.path.join(top, "libexec/cmdmox/cmdmox-shim")) for top in ("/usr", CONFIGURED)):
            text = run(own, ok=False)
            self.assertIn("no shim installed: install cmdmox, or set CMOX_SHIM to the path of cmdmox-shim; tried:", text)
            self.assertIn(os.path.join(CONFIGURED, "libexec/cmdmox/cmdmox-shim"), text)
        shutil.copytree(os.path.join(MOVED, "libexec"), os.path.join(place.name, "own", "libexec"))
        run(own)


if __name__ == "__main__":
    for tool in ("cmake", "ninja", "pkg-config", "protoc", "readelf", "objcopy"):
        if not shutil.which(tool):
            skip(f"{tool} is not installed")
    unittest.main(verbosity=2)
