"""A disk whose power can be cut: a SQLite VFS that remembers what was written but not yet synced.

The model, as hard on SQLite as POSIX and SQLite's own assumptions allow:

- What a file held when it was last synced is there after the cut. Each later write to it is kept,
  dropped or torn: a torn one is kept, dropped, broken off at some byte or turned to garbage sector
  by sector (512 bytes). Bytes outside the range of a write are never touched (SQLite calls this
  powersafe overwrite and relies on it).
- A file's size is such a change too: a truncation may be lost, an extension may have happened
  without its content.
- A name that was created or deleted since the directory was last synced has its state of then, or
  any later one, each name by itself. As SQLite's unix VFS does, the directory is synced with the
  first sync of a file opened as a new journal or log, and by a delete that asks for it.
- The shared-memory index of the log is lost: SQLite builds it anew.

All of it counts operations, so that a cut comes at a chosen one, which is then itself among the
unsynced. Afterwards every change fails, so that nothing is acknowledged any more.
"""

import contextlib
import itertools
import random
import threading
from pathlib import Path
from typing import Self

import apsw

SECTOR = 512

_numbers = itertools.count()

Write = tuple[int, bytes | None]  # offset and content; None truncates the file there


class Inode:
    """A file's content at its last sync, and what was done to it since."""

    def __init__(self, content: bytes = b"") -> None:
        self.synced = bytearray(content)
        self.pending: list[Write] = []

    def sync(self) -> None:
        for write in self.pending:
            _apply(self.synced, write)
        self.pending.clear()

    def whole(self, length: int | None = None) -> bytes:
        """Return what is found where all was kept, or of each write the first `length` bytes."""
        content = bytearray(self.synced)
        for offset, body in self.pending:
            _apply(content, (offset, body and body[:length]))
        return bytes(content)

    def survivor(self, rng: random.Random) -> bytes:
        """Return what is found after a power cut."""
        content = bytearray(self.synced)
        length = len(self.whole())
        kept, dropped = rng.choice([(0.0, 1.0), (1.0, 0.0), (0.2, 0.4), (0.6, 0.2), (0.45, 0.45)])
        for write in self.pending:
            fate = rng.random()
            if fate < kept:
                _apply(content, write)
            elif fate >= kept + dropped and write[1] is not None:
                _apply_torn(content, write[0], write[1], rng)
        if length > len(content) and rng.random() < 0.3:
            content.extend(bytes(length - len(content)))
        return bytes(content)


def _apply(content: bytearray, write: Write) -> None:
    offset, body = write
    if body is None:
        del content[offset:]
        content.extend(bytes(offset - len(content)))
        return
    if offset > len(content):
        content.extend(bytes(offset - len(content)))
    content[offset : offset + len(body)] = body


def _apply_torn(content: bytearray, offset: int, body: bytes, rng: random.Random) -> None:
    at = 0
    while at < len(body):
        stop = min(len(body), at + SECTOR - (offset + at) % SECTOR)
        sector = body[at:stop]
        match rng.choice(["kept", "kept", "dropped", "dropped", "broken", "garbage"]):
            case "kept":
                _apply(content, (offset + at, sector))
            case "broken":
                _apply(content, (offset + at, sector[: rng.randrange(len(sector))]))
            case "garbage":
                _apply(content, (offset + at, rng.randbytes(len(sector))))
        at = stop


class Disk(apsw.VFS):
    """A VFS over the files of one directory, which need not be on a real disk."""

    def __init__(self, folder: Path, rng: random.Random, files: dict[str, bytes]) -> None:
        """Begin with `files`, by name, all of them synced."""
        self.name = f"disk-{next(_numbers)}"
        self.operations = 0
        self.cut_at: int | None = None
        self.image: dict[str, bytes] | None = None
        self.lock = threading.Lock()
        self._folder = folder
        self._rng = rng
        # By name, the states since the directory was last synced, the present one at the end.
        self._names: dict[str, list[Inode | None]] = {}
        for name, content in files.items():
            (folder / name).write_bytes(content)
            self._names[name] = [Inode(content)]
        super().__init__(self.name, base="")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.unregister()

    def cut(self) -> dict[str, bytes]:
        """Cut the power, unless it's cut already; return the files that are found afterwards."""
        with self.lock:
            if self.image is None:
                self._cut()
            assert self.image is not None
            return self.image

    def broken(self, torn: str, length: int) -> dict[str, bytes]:
        """Return the files with all that was written, but of `torn` each unsynced write broken off.

        `length` is how many bytes of such a write there are.
        """
        rest = {name: states[-1] for name, states in self._names.items()}
        return {
            name: inode.whole(length if name == torn else None)
            for name, inode in rest.items()
            if inode is not None
        }

    def _cut(self) -> None:
        found = {name: self._rng.choice(states) for name, states in self._names.items()}
        self.image = {
            name: inode.survivor(self._rng) for name, inode in found.items() if inode is not None
        }

    def operate(self) -> None:
        """Count a change, and cut the power if it's the one; the caller holds the lock."""
        if self.image is None:
            self.operations += 1
            if self.operations == self.cut_at:
                self._cut()
        if self.image is not None:
            raise apsw.IOError("the power is cut")

    def present(self, name: str) -> Inode:
        """Return the file under this name, a new one if there is none; the caller has the lock."""
        states = self._names.setdefault(name, [None])
        inode = states[-1]
        if inode is None:
            inode = Inode()
            states.append(inode)
        return inode

    def sync_directory(self) -> None:
        self._names = {name: states[-1:] for name, states in self._names.items()}

    def xOpen(self, name: str | apsw.URIFilename | None, flags: list[int]) -> apsw.VFSFile:  # noqa: N802
        path = name.filename() if isinstance(name, apsw.URIFilename) else name
        if path is None or Path(path).parent != self._folder:
            return apsw.VFSFile("", name, flags)
        return DiskFile(self, Path(path).name, name, flags)

    def xDelete(self, filename: str, syncdir: bool) -> None:  # noqa: N802, FBT001
        with self.lock:
            if self._names.get(Path(filename).name, [None])[-1] is not None:
                self._names[Path(filename).name].append(None)
            # No failure after the cut: it would come out of closing a connection.
            with contextlib.suppress(apsw.IOError):
                self.operate()
                super().xDelete(filename, syncdir)
                if syncdir:
                    self.sync_directory()

    def excepthook(self, *_: object) -> bool:
        return True


class DiskFile(apsw.VFSFile):
    """A file of a Disk, read and locked as any other."""

    def __init__(
        self, disk: Disk, short: str, name: str | apsw.URIFilename | None, flags: list[int]
    ) -> None:
        super().__init__("", name, flags)
        self._disk = disk
        with disk.lock:
            self._inode = disk.present(short)
        journal = apsw.SQLITE_OPEN_MAIN_JOURNAL | apsw.SQLITE_OPEN_WAL
        self._directory_waits = bool(flags[0] & apsw.SQLITE_OPEN_CREATE and flags[0] & journal)

    def xWrite(self, data: bytes, offset: int) -> None:  # noqa: N802
        with self._disk.lock:
            self._inode.pending.append((offset, bytes(data)))
            self._disk.operate()
            super().xWrite(data, offset)

    def xTruncate(self, newsize: int) -> None:  # noqa: N802
        with self._disk.lock:
            self._inode.pending.append((newsize, None))
            self._disk.operate()
            super().xTruncate(newsize)

    def xSync(self, flags: int) -> None:  # noqa: ARG002, N802
        with self._disk.lock:
            self._disk.operate()
            self._inode.sync()
            if self._directory_waits:
                self._disk.sync_directory()
                self._directory_waits = False

    def excepthook(self, *_: object) -> bool:
        return True
