"""The wheel, as a user gets it: built, installed into an empty environment, and driven."""

import json
import re
import signal
import subprocess
import sys
import tomllib
import urllib.error
import urllib.request
import venv
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from running import PATIENCE_S, until

import fluxd
from fluxd.daemon.config import SETTINGS, Config, load_config

TOP = Path(__file__).parents[2]
EXAMPLE = TOP / "packaging" / "fluxd.toml"


@pytest.fixture(scope="session")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build the wheel."""
    folder = tmp_path_factory.mktemp("wheel")
    run(sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", folder, cwd=TOP)
    (built,) = folder.glob("fluxd-*.whl")
    return built


@pytest.fixture(scope="session")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Install the wheel into an empty virtual environment; return its `fluxd` command."""
    folder = tmp_path_factory.mktemp("installed")
    venv.create(folder, with_pip=False, symlinks=True)
    python = folder / "bin" / "python"
    run(sys.executable, "-m", "pip", "-q", "--python", python, "install", wheel, cwd=folder)
    return folder / "bin" / "fluxd"


@dataclass(frozen=True)
class Daemon:
    """A first start of the installed daemon: what it printed, and where its data is."""

    process: subprocess.Popen[str]
    data: Path
    printed: str

    @property
    def url(self) -> str:
        return self._found(r"listens on (http://\S+)")

    @property
    def pasted(self) -> str:
        """The first curl line, as a person would paste it."""
        return self._found(r"^(curl .*)$")

    @property
    def read_key(self) -> str:
        return self._found(r"Bearer ([\w-]+)")

    def _found(self, pattern: str) -> str:
        found = re.search(pattern, self.printed, re.MULTILINE)
        assert found is not None, self.printed
        return found[1]

    def ask(self, path: str) -> dict[str, object]:
        """Return the answer of the API, {} for an error."""
        request = urllib.request.Request(
            self.url + path, headers={"Authorization": f"Bearer {self.read_key}"}
        )
        try:
            with urllib.request.urlopen(request, timeout=PATIENCE_S) as answer:
                return json.load(answer)
        except urllib.error.HTTPError:
            return {}


@pytest.fixture
def daemon(installed: Path, tmp_path: Path) -> Iterator[Daemon]:
    """Start the installed daemon on a free port and an empty directory of its own."""
    data = tmp_path / "data"
    with subprocess.Popen(
        [installed, "serve", "--data", data, "--listen", "127.0.0.1:0"],
        stdout=subprocess.PIPE,
        cwd=tmp_path,
        env={"PATH": "/usr/bin:/bin"},
        text=True,
    ) as process:
        assert process.stdout is not None
        printed = ""
        for line in process.stdout:
            printed += line
            if "first start only" in line:
                break
        yield Daemon(process, data, printed)
        process.kill()


def run(*command: str | Path, cwd: Path) -> str:
    done = subprocess.run(command, cwd=cwd, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_the_wheel_has_every_file_of_the_package_and_nothing_else(wheel: Path) -> None:
    packed = {name for name in zipfile.ZipFile(wheel).namelist() if ".dist-info/" not in name}
    here = {
        str(path.relative_to(TOP))
        for path in (TOP / "fluxd").rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    assert packed == here | {"fluxd/fluxd.service"}  # for `fluxd doctor`


def test_it_installs_and_says_what_it_is(installed: Path, tmp_path: Path) -> None:
    assert run(installed, "--version", cwd=tmp_path) == f"fluxd {fluxd.__version__}\n"
    told = run(installed, "--help", cwd=tmp_path)
    for command in (
        *("serve", "link", "key", "replay", "import", "backup", "restore"),
        *("check", "doctor", "sql", "metric"),
    ):
        assert command in told
        assert "--data" in run(installed, command, "--help", cwd=tmp_path)


def test_a_first_start_is_used_as_it_says(daemon: Daemon) -> None:
    answer = run("bash", "-c", daemon.pasted, cwd=daemon.data)
    assert answer.startswith("HTTP/1.1 204 ")
    shown = run(
        *("sqlite3", "-readonly", daemon.data / "fluxd.db"),
        "SELECT metric, value FROM datapoints",
        cwd=daemon.data,
    )
    assert shown == "test.cpu|1.5\n"
    assert until(lambda: daemon.ask("/api/v1/metrics/test.cpu").get("datapoints")) == 1
    daemon.process.send_signal(signal.SIGTERM)
    assert daemon.process.wait(PATIENCE_S) == 0


def test_a_wrong_setting_ends_the_start_at_once(installed: Path, tmp_path: Path) -> None:
    (tmp_path / "fluxd.toml").write_text("[server]\nthreads = 1000\n")
    done = subprocess.run(
        [installed, "serve", "--data", tmp_path],
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
        check=False,
    )
    assert done.returncode == 2  # fluxd.service: no restart
    assert "server.threads is 1000" in done.stderr
    assert "from 4 to 256" in done.stderr
    assert done.stderr.count("\n") == 1
    assert not (tmp_path / "fluxd.db").exists()


def test_the_example_changes_nothing_as_it_is() -> None:
    assert load_config(EXAMPLE, {}) == Config()


def test_the_example_shows_every_setting_at_its_default() -> None:
    text = re.sub(r"^#(?=\w+ = )", "", EXAMPLE.read_text(), flags=re.MULTILINE)
    shown = {
        f"{section}.{key}": setting
        for section, settings in tomllib.loads(text).items()
        for key, setting in settings.items()
    }
    assert list(shown) == list(SETTINGS)
    for path, value in shown.items():
        assert SETTINGS[path].kind.read(value) == SETTINGS[path].default


def test_the_proxy_example_passes_on_what_fluxd_checks() -> None:
    text = (TOP / "packaging" / "nginx.conf").read_text()
    locations = re.findall(r"location [^{]+\{(.*?)\n    \}", text, re.DOTALL)
    assert len(locations) == text.count("proxy_pass") == 2
    for location in locations:
        settings = dict(re.findall(r"proxy_set_header (\S+) (.*?);", location))
        assert settings == {"Connection": '""', "Host": "$host", "X-Forwarded-Proto": "https"}
    (name,) = set(re.findall(r"server_name (.*?);", text))
    assert load_config(None, {"FLUXD_SERVER__HOSTS": name}).server.hosts == (name,)
    assert f'hosts = ["{name}"]' in text
