import gzip
import re

import pytest
from web.inprocess import InProcess

from fluxd.web.pages import ASSETS

CSS = "/static/fluxd.css"


def test_a_page_names_its_files_by_their_content(fluxd: InProcess) -> None:
    page = fluxd.client.simulate_get("/sign-in").text
    addresses = re.findall(r'(?:href|src)="(/static/[^"]+)"', page)
    assert addresses
    for address in addresses:
        result = fluxd.client.simulate_get(address)
        assert result.status_code == 200
        assert "immutable" in result.headers["cache-control"]


def test_without_its_hash_a_file_is_asked_for_each_time(fluxd: InProcess) -> None:
    first = fluxd.client.simulate_get(CSS)
    assert first.headers["cache-control"] == "no-cache"
    assert first.headers["content-type"] == "text/css; charset=utf-8"
    tag = {"If-None-Match": first.headers["etag"]}
    again = fluxd.client.simulate_get(CSS, headers=tag)
    assert (again.status_code, again.content) == (304, b"")
    other = fluxd.client.simulate_get(CSS, headers={"If-None-Match": '"0123456789abcdef"'})
    assert other.status_code == 200


def test_an_old_hash_is_not_kept_for_a_year(fluxd: InProcess) -> None:
    result = fluxd.client.simulate_get(f"{CSS}?v=0123456789abcdef")
    assert result.headers["cache-control"] == "no-cache"


def test_who_takes_gzip_gets_it(fluxd: InProcess) -> None:
    plain = fluxd.client.simulate_get(CSS)
    packed = fluxd.client.simulate_get(CSS, headers={"Accept-Encoding": "br, gzip"})
    assert packed.headers["content-encoding"] == "gzip"
    assert gzip.decompress(packed.content) == plain.content
    assert "content-encoding" not in plain.headers


@pytest.mark.parametrize(
    "name", ["nothing.css", "../pages.py", "%2e%2e/pages.py", "..%2fpages.py", "/etc/passwd", ""]
)
def test_nothing_else_is_read(fluxd: InProcess, name: str) -> None:
    assert fluxd.client.simulate_get(f"/static/{name}").status_code == 404


def test_all_files_together_are_small() -> None:
    assert sum(len(asset.content) for asset in ASSETS.files.values()) < 150_000
