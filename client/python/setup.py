"""What pyproject.toml cannot say: a wheel that has the program in it, cmdmox/_bin, is one of a platform.

The platform is read from the program itself. It must be static: then it runs with any C library, or none, and both tags
are true. The program is also what the wheel installs as the command `cmdmox`, for shells; so it is in the wheel twice.
"""

import pathlib
import struct

from setuptools import Distribution, setup
from wheel.bdist_wheel import bdist_wheel

BIN = pathlib.Path("src/cmdmox/_bin")
PROGRAM, SHIM = BIN / "cmdmox", BIN / "cmdmox-shim"
MACHINES = {62: "x86_64", 183: "aarch64"}  # e_machine
PT_INTERP = 3


def machine(path):
    """Of a static 64-bit little-endian ELF program for Linux."""
    data = path.read_bytes()
    if data[:6] != b"\x7fELF\x02\x01":
        raise SystemExit(f"{path} is no 64-bit ELF program")
    kind, (start,) = struct.unpack_from("<H", data, 18)[0], struct.unpack_from("<Q", data, 32)
    size, count = struct.unpack_from("<HH", data, 54)
    if PT_INTERP in [struct.unpack_from("<I", data, start + i * size)[0] for i in range(count)]:
        raise SystemExit(f"{path} is linked dynamically: configure with CMDMOX_STATIC_PROGRAM=ON")
    if kind not in MACHINES:
        raise SystemExit(f"{path} is for machine {kind}; known are {MACHINES}")
    return MACHINES[kind]


class PlatformDistribution(Distribution):
    def has_ext_modules(self):
        return True


class PlatformWheel(bdist_wheel):
    def get_tag(self):
        name, shim = machine(PROGRAM), machine(SHIM)
        if name != shim:
            raise SystemExit(f"{PROGRAM} is for {name}, {SHIM} for {shim}")
        return "py3", "none", f"manylinux_2_17_{name}.musllinux_1_1_{name}"


if PROGRAM.exists():
    setup(distclass=PlatformDistribution, cmdclass={"bdist_wheel": PlatformWheel},
          data_files=[("bin", [str(PROGRAM)]), ("libexec/cmdmox", [str(SHIM)])])
else:
    setup()
