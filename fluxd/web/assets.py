"""GET /static/…: the pages' own styles, scripts and pictures, from the package and from memory.

An address with the content's hash is kept by browsers for a year; one without, as scripts import
each other, is asked for again each time, and answered 304 while nothing has changed.
"""

import gzip
import hashlib
from dataclasses import dataclass
from importlib import resources
from importlib.resources.abc import Traversable

import falcon

from fluxd.core.errors import NotFoundError

TYPES = {
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
    ".txt": "text/plain; charset=utf-8",
}

HASH_DIGITS = 16


@dataclass(frozen=True, slots=True)
class Asset:
    """A static file; `packed` is its gzip form."""

    content_type: str
    content: bytes
    packed: bytes
    digest: str


class Assets:
    """All static files, read once."""

    def __init__(self) -> None:
        self.files = dict(_read(resources.files("fluxd.web") / "static", ""))

    def address(self, name: str) -> str:
        """Return the address of a file with its content's hash. Raises KeyError."""
        return f"/static/{name}?v={self.files[name].digest}"


class AssetsResource:
    """GET /static/{name}: a file by its name; what is asked for is looked up, never opened."""

    def __init__(self, assets: Assets) -> None:
        self._assets = assets

    def on_get(self, req: falcon.Request, resp: falcon.Response, name: str) -> None:
        """Answer the file, or 304 to whoever has it."""
        asset = self._assets.files.get(name)
        if asset is None:
            raise NotFoundError("there is no such file")
        current = req.params.get("v") == asset.digest
        resp.set_header(
            "Cache-Control", "public, max-age=31536000, immutable" if current else "no-cache"
        )
        resp.set_header("ETag", f'"{asset.digest}"')
        resp.set_header("Vary", "Accept-Encoding")
        if asset.digest in (req.get_header("If-None-Match") or ""):
            resp.status = falcon.HTTP_304
            return
        resp.content_type = asset.content_type
        if "gzip" in (req.get_header("Accept-Encoding") or ""):
            resp.set_header("Content-Encoding", "gzip")
            resp.data = asset.packed
        else:
            resp.data = asset.content

    on_head = on_get


def _read(folder: Traversable, path: str) -> list[tuple[str, Asset]]:
    found: list[tuple[str, Asset]] = []
    for file in folder.iterdir():
        name = f"{path}{file.name}"
        if file.is_dir():
            found += _read(file, f"{name}/")
            continue
        content_type = TYPES.get(f".{file.name.rpartition('.')[2]}")
        if content_type is None:
            continue
        content = file.read_bytes()
        digest = hashlib.sha256(content).hexdigest()[:HASH_DIGITS]
        packed = gzip.compress(content, mtime=0)
        found.append((name, Asset(content_type, content, packed, digest)))
    return found
