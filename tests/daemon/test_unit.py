"""The systemd unit: how exposed it is, and that fluxd works within it."""

import mmap
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from notify.receiver import Receiver, answer

TOP = Path(__file__).parents[2]
UNIT = TOP / "fluxd.service"
CONFINE = Path(__file__).with_name("confine.py")

# What the service loads, and a bit of work of each that maps memory or starts threads.
WORK = """
import logging, socket, threading
import falcon, msgspec, waitress, apsw, numpy
import fluxd.daemon.config, fluxd.daemon.notify, fluxd.store, fluxd.web.services
store = fluxd.store.open_store(__import__("pathlib").Path("{path}"), create=True)
thread = threading.Thread(target=lambda: numpy.linalg.inv(numpy.eye(300)))
thread.start(), thread.join(), store.checkpoint(), store.close()
socket.create_server(("127.0.0.1", 0)).close()
print("worked")
"""
# A chart is drawn, certificates are loaded, a name is looked up and a message delivered.
DELIVERY = """
import ssl
from fluxd.core.message import Links, Message, Picture
from fluxd.notify.kinds import build, check
from fluxd.notify.picture import png
ones = (1.0, 1.0)
assert png(Picture((60, 120), ones, ones, ones, ones, 60, None, "a.b"), 0)
assert ssl.create_default_context()
message = Message(
    "test", "k", "t", None, "low", "s", "w", 60, None, (), 0, Links(), None, 0, "h"
)
url = "http://localhost:{port}/x"
print(build("webhook", check("webhook", dict(url=url))).send(message, 30.0).text)
"""
WRITE_AND_EXECUTE = (
    "import mmap; mmap.mmap(-1, 4096, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC)"
)


@pytest.fixture(autouse=True, scope="module")
def _systemd_is_here() -> None:
    if shutil.which("systemd-analyze") is None:
        pytest.skip("needs systemd-analyze")


def confined(script: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, str(CONFINE), str(UNIT), sys.executable, "-c", script],
        capture_output=True,
        text=True,
        check=False,
        cwd=TOP,
    )


def test_its_exposure_is_at_most_1_5() -> None:
    analysis = subprocess.run(
        ["systemd-analyze", "security", "--offline=true", "--threshold=15", "--no-pager", UNIT],
        capture_output=True,
        text=True,
        check=False,
    )
    assert analysis.returncode == 0, analysis.stdout[-300:]


def test_systemd_understands_every_line(tmp_path: Path) -> None:
    unit = tmp_path / UNIT.name
    unit.write_text(UNIT.read_text().replace("/opt/fluxd/bin/fluxd", "/bin/true"))
    analysis = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", unit], capture_output=True, text=True, check=True
    )
    assert str(unit) not in analysis.stderr


def test_what_the_daemon_loads_works_under_its_filters(tmp_path: Path) -> None:
    run = confined(WORK.format(path=tmp_path / "fluxd.db"))
    assert (run.returncode, run.stdout, run.stderr) == (0, "worked\n", "")


def test_messages_get_out_under_its_filters() -> None:
    with Receiver([answer("204 No Content")]) as receiver:
        run = confined(DELIVERY.format(port=receiver.port))
    assert (run.returncode, run.stdout, run.stderr) == (0, "204 No Content\n", "")


def test_its_address_families_and_addresses_let_messages_out() -> None:
    families, *denied = re.findall(
        r"^(?:RestrictAddressFamilies|IPAddressDeny)=(.*)$", UNIT.read_text(), re.MULTILINE
    )
    assert {"AF_INET", "AF_INET6", "AF_UNIX"} <= set(families.split())
    assert denied == []


def test_the_filters_are_real() -> None:
    run = confined(WRITE_AND_EXECUTE)
    assert "PermissionError: [Errno 1]" in run.stderr
    run = confined("import os; os.setpriority(os.PRIO_PROCESS, 0, 1)")
    assert "PermissionError: [Errno 1]" in run.stderr
    assert mmap.mmap(-1, 4096, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC)
