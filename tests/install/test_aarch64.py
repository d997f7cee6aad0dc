"""The program and the shim for aarch64: built here, run by qemu.

Everything runs in a user namespace of its own, where qemu is registered for programs of that machine, so that the
server there starts its shim, and the code under test its commands, as on such a machine.
"""

import os
import shutil
import sys
import tarfile
import tempfile
import unittest
import zipfile

from mocking import BUILD, ROOT, is_static, mocked_call, run, skip

SYSROOT = os.path.join(ROOT, "build/sysroot-arm64")
CROSS = os.path.join(BUILD, "aarch64")  # of this test: it is as new as the sources
QEMU = shutil.which("qemu-aarch64-static")
MAGIC = (r":cmdmox-aarch64:M::\x7f\x45\x4c\x46\x02\x01\x01\x00\x00\x00\x00\x00\x00\x00\x00\x00\x02\x00\xb7\x00:"
         r"\xff\xff\xff\xff\xff\xff\xff\x00\xff\xff\xff\xff\xff\xff\xff\xff\xfe\xff\xff\xff:" + f"{QEMU}:F\n")
REGISTERED = "--registered"
REGISTER = "mount -t binfmt_misc none /proc/sys/fs/binfmt_misc && printf %s \"$0\" >/proc/sys/fs/binfmt_misc/register && exec \"$@\""


class Aarch64(unittest.TestCase):
    program = os.path.join(CROSS, "bin/cmdmox")
    shim = os.path.join(CROSS, "libexec/cmdmox/cmdmox-shim")

    def test_they_name_no_library(self):
        for file in (self.program, self.shim):
            self.assertIn("AArch64", run("readelf", "-h", file))
            self.assertTrue(is_static(file), file)

    def test_it_says_its_version(self):
        with open(os.path.join(ROOT, "CMakeLists.txt"), encoding="utf-8") as file:
            version = next(line.split()[2] for line in file if line.startswith("project("))
        self.assertEqual(run(QEMU, self.program, "version"), f"cmdmox {version}\n")
        self.assertIn(f"cmdmox-shim {version} protocol", run(QEMU, self.shim, "--probe"))

    def test_its_wheel_says_so(self):
        if os.system(f"{sys.executable} -c 'import build, setuptools, wheel' 2>/dev/null") != 0:
            self.skipTest("what makes wheels is not installed; ./dev wheels installs it")
        with tempfile.TemporaryDirectory() as folder:
            run("sh", os.path.join(ROOT, "client/python/wheels.sh"), folder, os.path.join(BUILD, "python"), CROSS,
                env={"CMDMOX_PYTHON": sys.executable})
            name = next(name for name in os.listdir(folder) if "-any" not in name)
            self.assertRegex(name, r"\Acmdmox-[\d.]+-py3-none-manylinux_2_17_aarch64\.musllinux_1_1_aarch64\.whl\Z")
            with zipfile.ZipFile(os.path.join(folder, name)) as archive:
                for file in ("cmdmox/_bin/cmdmox", "cmdmox/_bin/cmdmox-shim"):
                    self.assertIn("AArch64", run("readelf", "-h", archive.extract(file, folder)))

    def test_its_npm_package_says_so(self):
        package = os.path.join(BUILD, "js/package")
        if not os.path.isdir(package):
            self.skipTest("the JavaScript package is not built here")
        with tempfile.TemporaryDirectory() as folder:
            run("sh", os.path.join(ROOT, "client/js/npm.sh"), folder, package, CROSS)
            name = next(name for name in os.listdir(folder) if name.startswith("cmdmox-linux-arm64-"))
            with tarfile.open(os.path.join(folder, name)) as archive:
                self.assertIn('"cpu": [\n    "arm64"\n  ]', archive.extractfile("package/package.json").read().decode())
                for file in ("package/bin/cmdmox", "package/bin/cmdmox-shim"):
                    archive.extract(file, folder)
                    self.assertIn("AArch64", run("readelf", "-h", os.path.join(folder, file)))

    @unittest.skipUnless(REGISTERED in sys.argv, "qemu cannot be registered in a user namespace here: nothing starts the shim")
    def test_a_call_is_mocked(self):
        mocked_call(self.program)
        with tempfile.TemporaryDirectory() as folder:
            program = shutil.copy(self.program, os.path.join(folder, "cmdmox"))
            shutil.copy(self.shim, os.path.join(folder, "cmdmox-shim"))
            mocked_call(program)

    @unittest.skipUnless(REGISTERED in sys.argv, "qemu cannot be registered in a user namespace here: nothing starts the shim")
    def test_it_talks_with_this_machine(self):
        """Servers and shims of two machines, as a container of another has them: both ways."""
        mocked_call(self.program, env={"CMOX_SHIM": os.path.join(BUILD, "libexec/cmdmox/cmdmox-shim")})
        mocked_call(os.path.join(BUILD, "bin/cmdmox"), env={"CMOX_SHIM": self.shim})


def build():
    run("cmake", "-S", ROOT, "-B", CROSS, "--preset", "static-aarch64")
    run("cmake", "--build", CROSS, "--target", "cmdmox_program", "cmdmox-shim", "-j", "2")


if __name__ == "__main__":
    for tool in ("aarch64-linux-gnu-gcc", "qemu-aarch64-static", "readelf"):
        if not shutil.which(tool):
            skip(f"{tool} is not installed; ./dev build static-aarch64 installs it")
    if not os.path.isdir(SYSROOT):
        skip("the libraries for aarch64 are missing; ./dev build static-aarch64 fetches them")
    if " " in SYSROOT:
        skip("the folder of the sources has a space in its name: pkg-config cannot look into a sysroot there")
    if REGISTERED not in sys.argv:
        build()
        registered = ["unshare", "-rm", "sh", "-c", REGISTER, MAGIC.rstrip("\n")]
        if os.system("unshare -rm sh -c 'mount -t binfmt_misc none /proc/sys/fs/binfmt_misc' 2>/dev/null") == 0:
            os.execvp("unshare", [*registered, sys.executable, os.path.abspath(__file__), REGISTERED])
    unittest.main(verbosity=2, argv=sys.argv[:1])
