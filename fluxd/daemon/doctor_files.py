"""The doctor's questions about the data directory: rights, disk, leftovers."""

import os
import re
import stat
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from fluxd.daemon.findings import Finding, bad, note, ok
from fluxd.store.connection import FILE_NAME
from fluxd.store.copying import SUFFIX, megabytes

# What belongs to the store and must be its owner's: SQLite makes the second and third beside it.
STORE_FILES = (FILE_NAME, f"{FILE_NAME}-wal", f"{FILE_NAME}-shm")

_COPY = re.compile(re.escape(FILE_NAME) + r"\.before-[\w-]+")

# Of all users but the owner.
_OTHERS = stat.S_IRWXG | stat.S_IRWXO

MOUNTS = Path("/proc/self/mountinfo")

# File systems that several machines share. A log needs memory that all users of the store share.
NETWORK = {
    *("nfs", "nfs4", "cifs", "smb3", "smbfs", "9p", "afs", "ceph", "lustre", "beegfs", "davfs"),
    *("glusterfs", "ocfs2", "gfs2", "vboxsf", "virtiofs"),
    *("fuse.sshfs", "fuse.glusterfs", "fuse.davfs2", "fuse.rclone", "fuse.s3fs", "fuse.ceph"),
}
IN_MEMORY = {"tmpfs", "ramfs"}

# A log is begun anew about once a second and cut to 64 MB. One of this size has been held open.
LARGE_LOG_BYTES = 256 << 20

# Below this even a quiet store soon can't write.
LITTLE_BYTES = 256 << 20

# What a datapoint takes until it is pruned: 3 bytes itself, 3 its band, and as much again until
# its hour is sealed and merged.
BYTES_A_DATAPOINT = 12
WARN_DAYS = 30


@dataclass(frozen=True, slots=True)
class Entry:
    """A file of the data directory."""

    path: Path
    mode: int
    owner: int
    size: int
    links: int


def files(data: Path) -> Iterator[Finding]:
    """Yield what is to be said of the files in the data directory."""
    home = entry_of(data)
    entries = [entry_of(path) for path in sorted(data.iterdir())]
    yield from rights(home, entries)
    yield from leftovers(entries)
    yield from log_size(entries)


def entry_of(path: Path) -> Entry:
    """Look at a file, not following a link."""
    status = path.lstat()
    return Entry(path, stat.S_IMODE(status.st_mode), status.st_uid, status.st_size, status.st_nlink)


def rights(home: Entry, entries: Iterable[Entry]) -> Iterator[Finding]:
    """Yield what others than the store's owner may do, and files that are not his."""
    mine = [entry for entry in entries if entry.path.name in STORE_FILES]
    foreign = [entry.path for entry in mine if entry.owner != home.owner]
    if foreign:
        names = " ".join(map(str, foreign))
        yield bad(
            f"{names} is not of the directory's owner, user {home.owner}",
            f"`sudo chown --reference={home.path} {names}`",
        )
    readable = [entry.path for entry in mine if entry.mode & _OTHERS]
    if readable and home.mode & _OTHERS:
        names = " ".join(map(str, readable))
        yield bad(f"other users may read {names}, with the keys", f"`sudo chmod 600 {names}`")
    elif home.mode & _OTHERS:
        yield note(
            f"other users may look into {home.path} (mode {home.mode:o})",
            f"`sudo chmod 700 {home.path}`",
        )
    elif not foreign:
        yield ok(f"{home.path} and the store are their owner's alone")


def leftovers(entries: Iterable[Entry]) -> Iterator[Finding]:
    """Yield files that were kept or left behind, and may be deleted."""
    entries = list(entries)
    store = {entry.path.name: entry for entry in entries}.get(FILE_NAME)
    partial = [entry.path for entry in entries if entry.path.name.endswith(SUFFIX)]
    if partial:
        names = " ".join(map(str, partial))
        yield note(
            f"{names} is left of a copy that was cut short",
            f"`sudo rm {names}`, unless a backup, restore or first start is under way",
        )
    copies = [entry for entry in entries if _COPY.fullmatch(entry.path.name)]
    if store is not None and store.links > 1:
        yield note(
            f"{store.path} has a second name, which a restore that was cut short gave it",
            "restore again, or delete that name; it is no copy",
        )
    elif copies:
        names = " ".join(str(entry.path) for entry in copies)
        size = megabytes(sum(entry.size for entry in copies))
        yield note(f"earlier stores take {size}", f"`sudo rm {names}` once they are not needed")


def log_size(entries: Iterable[Entry]) -> Iterator[Finding]:
    """Yield what is to be said of the log's size."""
    for entry in entries:
        if entry.path.name == f"{FILE_NAME}-wal" and entry.size > LARGE_LOG_BYTES:
            yield note(
                f"{entry.path} has grown to {megabytes(entry.size)}, as some program holds a read "
                "transaction open",
                f"`sudo fuser -v {entry.path}` shows which; end it, unless it is a backup",
            )


def disk(data: Path, daily: float) -> Iterator[Finding]:
    """Yield what is to be said of the disk; `daily` datapoints come in a day."""
    status = os.statvfs(data)
    yield free_space(data, status.f_bavail * status.f_frsize, daily)
    mounts = MOUNTS.read_text(encoding="utf-8", errors="replace") if MOUNTS.exists() else ""
    yield from file_system(data, file_system_of(data.resolve(), mounts))


def free_space(data: Path, free: int, daily: float) -> Finding:
    """Judge the free bytes, and for how long they last."""
    growth = daily * BYTES_A_DATAPOINT
    days = free / growth if growth else float("inf")
    text = f"{megabytes(free)} are free at {data}"
    if growth:
        text += f", where at most {megabytes(int(growth))} come in a day until old ones go"
    if free < LITTLE_BYTES:
        return bad(text, "free some space, or lower `retention.raw` and `retention.band`")
    if days < WARN_DAYS:
        return note(text, f"that lasts {days:.0f} days: free some space, or lower `retention.raw`")
    return ok(text)


def file_system(data: Path, kind: str) -> Iterator[Finding]:
    """Judge the kind of the file system, "" for unknown."""
    if kind in NETWORK:
        yield bad(
            f"{data} is on a network file system ({kind}), where SQLite's log can be damaged",
            "move it to a disk of this machine's and name that with --data",
        )
    elif kind in IN_MEMORY:
        yield note(
            f"{data} is in memory ({kind}): the next boot loses it",
            "name a directory on a disk with --data",
        )
    elif kind == "overlay":
        yield note(
            f"{data} is part of a container, and goes with it", "mount a volume there, or --data"
        )
    elif kind:
        yield ok(f"the file system is {kind}")


def file_system_of(path: Path, mountinfo: str) -> str:
    """Return the kind of the file system that `path` is on, "" where it isn't listed.

    `mountinfo` as in proc(5): of two mounts on one place the later one is seen.

    >>> file_system_of(Path("/a/b"), "1 0 0:1 / /a rw - nfs server:/x rw")
    'nfs'
    """
    kind, longest = "", -1
    for line in mountinfo.splitlines():
        before, _, after = line.partition(" - ")
        fields = before.split(" ")
        if len(fields) < 5 or not after:  # noqa: PLR2004  # the fifth is the place
            continue
        place = Path(re.sub(r"\\([0-7]{3})", lambda found: chr(int(found[1], 8)), fields[4]))
        if path.is_relative_to(place) and len(place.parts) >= longest:
            kind, longest = after.split(" ")[0], len(place.parts)
    return kind
