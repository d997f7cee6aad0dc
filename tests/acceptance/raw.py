"""Programs started with what Python itself would refuse: no arguments at all, entries of the environment without '='."""

import ctypes
import os


def exec_raw(path, argv, environment):
    """Runs a program with exactly these arguments and entries, which Python itself would refuse; its status."""
    libc = ctypes.CDLL(None)
    arguments = (ctypes.c_char_p * (len(argv) + 1))(*argv, None)
    entries = (ctypes.c_char_p * (len(environment) + 1))(*environment, None)
    pid = os.fork()
    if pid == 0:
        libc.execve(path, arguments, entries)
        os._exit(127)
    return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
