"""The program and the shim are two files that need nothing else: no library, no folder, no installation."""

import os
import shutil
import subprocess
import tempfile
import unittest

from mocking import BUILD, CLEAN, ROOT, cmdmox, is_static, mocked_call, run, skip

PROGRAM = os.path.join(BUILD, "bin/cmdmox")
TWIN = os.path.join(BUILD, "client/cmdmox-dynamic")
SHIM = os.path.join(BUILD, "libexec/cmdmox/cmdmox-shim")
CONFIGURED = os.environ["CMDMOX_PREFIX"]


class Static(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory(prefix="cmdmox-")
        self.addCleanup(folder.cleanup)
        self.place = folder.name
        os.chmod(self.place, 0o755)

    def put(self, file, *where):
        path = os.path.join(self.place, *where)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        return shutil.copy(file, path)

    def test_they_name_no_library(self):
        for file in (PROGRAM, SHIM):
            self.assertTrue(is_static(file), file)

    def test_they_run_where_nothing_else_is(self):
        """Not even /proc, by which the program would find what is beside it; /dev/null is an empty file."""
        inside = ["chroot", self.place] if os.geteuid() == 0 else ["unshare", "-r", "chroot", self.place]
        program = self.put(PROGRAM, "cmdmox")
        self.put(SHIM, "shim")
        self.put(os.devnull, "dev", "null")
        os.mkdir(os.path.join(self.place, "tmp"), 0o700)
        if subprocess.run([*inside, "/cmdmox", "version"], stdout=subprocess.DEVNULL, check=False).returncode:
            run(program, "version")
            self.skipTest("this user may not change the root directory")
        mocked_call("/cmdmox", inside, {"CMOX_SHIM": "/shim", "CMOX_TMPDIR": "/tmp"})

    def test_the_shim_is_found_beside_the_program(self):
        program = self.put(PROGRAM, "here", "cmdmox")
        self.put(SHIM, "here", "cmdmox-shim")
        mocked_call(program)
        os.symlink(program, os.path.join(self.place, "link"))
        mocked_call(os.path.join(self.place, "link"))

    def test_the_name_it_was_started_by_is_no_place_to_look(self):
        """A file of the working directory that has the program's name says nothing of where the program is."""
        if any(os.path.exists(os.path.join(top, "libexec/cmdmox/cmdmox-shim")) for top in ("/usr", CONFIGURED)):
            self.skipTest("a shim is installed")
        program = self.put(TWIN, "own", "cmdmox")  # a static one has no loader that takes that name for a place
        other = os.path.dirname(self.put("/bin/true", "other", "bin", "cmdmox"))
        self.put(SHIM, "other", "libexec", "cmdmox", "cmdmox-shim")
        process = subprocess.Popen(["cmdmox", "serve", "--stdio"], executable=program, cwd=other, env=CLEAN,
                                   stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        client = cmdmox.Client(process.stdout, process.stdin)
        self.addCleanup(lambda: (client.close(), process.wait()))
        with self.assertRaises(cmdmox.Error) as caught:
            cmdmox.Session(client)
        self.assertIn(os.path.join(os.path.dirname(program), "cmdmox-shim"), str(caught.exception))
        self.assertNotIn(os.path.join(self.place, "other"), str(caught.exception))

    def test_configuring_says_what_is_missing(self):
        def configure(name, ok, *options):
            return run("cmake", "-G", "Ninja", "-S", ROOT, "-B", os.path.join(self.place, name), "-DBUILD_TESTING=OFF",
                       "-DCMDMOX_ARCHIVE_md=", "-DCMAKE_C_COMPILER=" + os.environ.get("CC", "cc"), *options, ok=ok)

        said = configure("auto", True)
        self.assertIn("cmdmox is linked dynamically and starts slower: no libmd.a\n", said)
        said = " ".join(configure("on", False, "-DCMDMOX_STATIC_PROGRAM=ON").split())
        self.assertIn("CMDMOX_STATIC_PROGRAM=ON: no libmd.a; install what is missing, or leave the option at AUTO", said)


if __name__ == "__main__":
    if not shutil.which("readelf"):
        skip("readelf is not installed")
    if not is_static(PROGRAM):
        skip("the program is linked dynamically here; configuring says why")
    unittest.main(verbosity=2)
