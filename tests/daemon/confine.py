"""Run a command under the system call filters that systemd makes of a unit file.

    python confine.py fluxd.service COMMAND ARGUMENT…

Two filters, as systemd loads them: memory that is writable and executable is refused, then every
call outside `SystemCallFilter=`. They need neither root nor a running systemd, only its
`systemd-analyze` and libseccomp.
"""

import ctypes
import errno
import os
import re
import subprocess
import sys
from pathlib import Path

ALLOW = 0x7FFF0000
REFUSE = 0x00050000 | errno.EPERM
MASKED_EQUAL = 7
PROT_WRITE, PROT_EXEC, SHM_EXEC = 2, 4, 0o100000


class Comparison(ctypes.Structure):
    """libseccomp's scmp_arg_cmp."""

    _fields_ = (
        ("argument", ctypes.c_uint),
        ("operator", ctypes.c_int),
        ("mask", ctypes.c_uint64),
        ("value", ctypes.c_uint64),
    )


seccomp = ctypes.CDLL("libseccomp.so.2")
seccomp.seccomp_init.restype = ctypes.c_void_p
seccomp.seccomp_load.argtypes = [ctypes.c_void_p]
seccomp.seccomp_rule_add_array.argtypes = [
    *(ctypes.c_void_p, ctypes.c_uint32, ctypes.c_int, ctypes.c_uint, ctypes.POINTER(Comparison))
]


def calls_of(group: str) -> set[str]:
    """Return the calls of a group such as @system-service, its groups resolved."""
    if not group.startswith("@"):
        return {group}
    listing = subprocess.run(
        ["systemd-analyze", "syscall-filter", "--no-pager", group],
        capture_output=True,
        text=True,
        check=True,
    )
    members = re.findall(r"^ {4}(@?[\w-]+)", listing.stdout, re.MULTILINE)
    return set().union(*map(calls_of, members))


def allowed_calls(unit: str) -> set[str]:
    """Return what is left of the unit's allow list once its deny list is taken away."""
    allowed: set[str] = set()
    for sign, groups in re.findall(r"^SystemCallFilter=(~?)(.+)$", unit, re.MULTILINE):
        calls = set().union(*map(calls_of, groups.split()))
        allowed = allowed - calls if sign else allowed | calls
    return allowed


def add(rules: int, action: int, call: str, mask: int | None = None) -> None:
    """Apply `action` to a call, where `mask` is given only if its third argument has these bits."""
    number = seccomp.seccomp_syscall_resolve_name(call.encode())
    if number < 0:  # another architecture's
        return
    comparison = Comparison(2, MASKED_EQUAL, mask or 0, mask or 0)
    count = 0 if mask is None else 1
    seccomp.seccomp_rule_add_array(rules, action, number, count, ctypes.byref(comparison))


def confine(unit: str) -> None:
    """Load both filters; they hold for this process and what it starts."""
    allowed = allowed_calls(unit)
    if "\nMemoryDenyWriteExecute=yes\n" in unit:
        memory = seccomp.seccomp_init(ALLOW)
        add(memory, REFUSE, "mmap", PROT_WRITE | PROT_EXEC)
        add(memory, REFUSE, "mprotect", PROT_EXEC)
        add(memory, REFUSE, "pkey_mprotect", PROT_EXEC)
        add(memory, REFUSE, "shmat", SHM_EXEC)
        seccomp.seccomp_load(memory)
    calls = seccomp.seccomp_init(REFUSE)
    for call in allowed:
        add(calls, ALLOW, call)
    if seccomp.seccomp_load(calls) != 0:
        sys.exit("the filter could not be loaded")


if __name__ == "__main__":
    confine(Path(sys.argv[1]).read_text())
    os.execvp(sys.argv[2], sys.argv[2:])  # noqa: S606  # a shell would be confined too
