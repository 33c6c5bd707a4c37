"""`fluxd link` beside a running daemon."""

import urllib.error
import urllib.request
from http.cookiejar import CookieJar
from pathlib import Path

import pytest
from running import Daemon, fluxd

from fluxd.daemon.links import fresh_link
from fluxd.store import open_store


def open_link(link: str) -> int:
    """Follow a link as a browser does; return the status of its own answer."""
    opener = urllib.request.build_opener(urllib.request.HTTPCookieProcessor(CookieJar()), Stay())
    try:
        with opener.open(link, timeout=30) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as error:
        with error:
            return error.code


class Stay(urllib.request.HTTPRedirectHandler):
    """Follows no redirect."""

    def redirect_request(self, *_arguments: object) -> None:
        return None


def test_a_link_opens_the_running_daemon_once(tmp_path: Path) -> None:
    data = tmp_path / "data"
    daemon = Daemon(data)
    try:
        outcome = fluxd("link", "--data", str(data))
        assert (outcome.returncode, outcome.stderr) == (0, "")
        link = outcome.stdout.splitlines()[-1]
        assert link.startswith(f"{daemon.url}/sign-in?token=")
        assert [open_link(link), open_link(link)] == [303, 401]
        printed = next(line for line in daemon.said().splitlines() if "/sign-in?token=" in line)
        assert [open_link(printed), open_link(printed)] == [303, 401]
        token = link.partition("=")[2]
        assert token not in daemon.said()
    finally:
        daemon.kill()


def test_without_a_daemon_it_says_so(tmp_path: Path) -> None:
    store = open_store(tmp_path / "fluxd.db", create=True)
    store.close()
    outcome = fluxd("link", "--data", str(tmp_path))
    assert outcome.returncode == 1
    assert "has not run yet" in outcome.stderr
    outcome = fluxd("link", "--data", str(tmp_path), "--url", "https://flux.example.org/")
    assert outcome.returncode == 0
    assert "not running" in outcome.stderr
    assert outcome.stdout.splitlines()[-1].startswith("https://flux.example.org/sign-in?token=")


@pytest.mark.parametrize("url", ["flux.example.org", "ftp://a", "https://", "https://a/b"])
def test_an_address_must_be_one(tmp_path: Path, url: str) -> None:
    open_store(tmp_path / "fluxd.db", create=True).close()
    outcome = fluxd("link", "--data", str(tmp_path), "--url", url)
    assert outcome.returncode == 1
    assert "https://flux.example.org" in outcome.stderr
    assert "Traceback" not in outcome.stderr


def test_no_address_is_no_link(tmp_path: Path) -> None:
    store = open_store(tmp_path / "fluxd.db", create=True)
    link = store.writer.run(lambda writer: fresh_link(writer, 1, "http://127.0.0.1:1"))
    assert len(link.partition("=")[2]) >= 43
    store.close()
