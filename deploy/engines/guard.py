"""Become another user, bind this process's life to its parent's, and run a command in its place.

Run as a file, never imported: `python -I -S guard.py [options] -- command ...`. It exists because the signal
that the kernel sends when a parent dies is forgotten when a process changes its user, so it must be asked
for after that and before the command starts; and because that is not safe to do between fork and exec of a
program with threads.

Exit codes of its own: 126 the parent is gone already, 127 the command cannot be run.
"""

import argparse
import ctypes
import os
import sys
from pathlib import Path

PR_SET_PDEATHSIG = 1
PR_SET_KEEPCAPS = 8
PR_SET_NO_NEW_PRIVS = 38
PR_CAP_AMBIENT = 47
PR_CAP_AMBIENT_RAISE = 2
CAP_NET_BIND_SERVICE = 10
CAPABILITY_VERSION_3 = 0x20080522


class _CapHeader(ctypes.Structure):
    _fields_ = (("version", ctypes.c_uint32), ("pid", ctypes.c_int))


class _CapData(ctypes.Structure):
    _fields_ = (
        ("effective", ctypes.c_uint32),
        ("permitted", ctypes.c_uint32),
        ("inheritable", ctypes.c_uint32),
    )


def _prctl(option: int, *arguments: int) -> None:
    libc = ctypes.CDLL(None, use_errno=True)
    padded = [ctypes.c_ulong(argument) for argument in (*arguments, 0, 0, 0, 0)[:4]]
    if libc.prctl(option, *padded) != 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))


def _keep_low_ports() -> None:
    """Of everything that root may do, keep the right to listen below port 1024."""
    bit = 1 << CAP_NET_BIND_SERVICE
    data = (_CapData * 2)(_CapData(bit, bit, bit), _CapData(0, 0, 0))
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.capset(ctypes.byref(_CapHeader(CAPABILITY_VERSION_3, 0)), data) != 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    _prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, CAP_NET_BIND_SERVICE)


def become(uid: int, gid: int, low_ports: bool) -> None:
    """Drop from root to `uid` and `gid`, with no supplementary groups."""
    if low_ports:
        _prctl(PR_SET_KEEPCAPS, 1)
    os.setgroups([])
    os.setgid(gid)
    os.setuid(uid)
    if low_ports:
        _keep_low_ports()


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("--parent", type=int, help="id of the process whose end is ours too")
    parser.add_argument("--signal", type=int, default=9, help="what to be sent when it ends")
    parser.add_argument("--uid", type=int)
    parser.add_argument("--gid", type=int)
    parser.add_argument("--low-ports", action="store_true", help="may listen below port 1024")
    parser.add_argument("--enter", help="run nothing: say by exit code whether this path can be entered")
    parser.add_argument("--read", help="run nothing: say by exit code whether it can be read and run as well")
    parser.add_argument("command", nargs="*")
    options = parser.parse_args()
    os.umask(0o077)
    if options.uid is not None:
        become(options.uid, options.gid, options.low_ports)
    if options.enter is not None:
        return 0 if os.access(options.enter, os.X_OK) else 1
    if options.read is not None:
        return 0 if os.access(options.read, os.R_OK | os.X_OK) else 1
    if sys.platform == "linux":
        _prctl(PR_SET_NO_NEW_PRIVS, 1)
        _prctl(PR_SET_PDEATHSIG, options.signal)
    if options.parent is not None and os.getppid() != options.parent:
        return 126
    try:
        os.execv(options.command[0], options.command)  # noqa: S606
    except OSError as error:
        sys.stderr.write(f"{Path(options.command[0]).name}: {error.strerror}\n")
    return 127


if __name__ == "__main__":
    sys.exit(main())
