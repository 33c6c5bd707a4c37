"""Examples for agents, with the address and the key filled in; each works as it is pasted.

A test runs every one of them against a daemon.
"""

from dataclasses import dataclass

_KEY = "@KEY@"
_ADDRESS = "@ADDRESS@"


@dataclass(frozen=True, slots=True)
class Example:
    """A way to send; `parts` is its code, the key belongs between them."""

    name: str
    title: str
    hint: str
    parts: tuple[str, ...]

    def code(self, key: str) -> str:
        """Return the code with a key."""
        return key.join(self.parts)


def examples(address: str) -> list[Example]:
    """Return the examples for a daemon that is reached at `address`."""
    return [
        Example(name, title, hint, tuple(code.strip("\n").replace(_ADDRESS, address).split(_KEY)))
        for name, title, hint, code in _ALL
    ]


def test_mode_example(address: str) -> Example:
    """Return the curl line that is checked and shown, and stores nothing."""
    code = _TEST_MODE.strip("\n").replace(_ADDRESS, address)
    return Example("test-mode", "Test mode", "", tuple(code.split(_KEY)))


def deploy_example(address: str) -> Example:
    """Return the line by which a deploy script says that something is expected."""
    code = _DEPLOY.strip("\n").replace(_ADDRESS, address)
    return Example("deploy", "For a deploy script", "", tuple(code.split(_KEY)))


_SINGLE = r"""
curl -i -H 'key: @KEY@' @ADDRESS@/flux/metric_data_post \
  -d '{"metric": "test.cpu", "timestamp": '$(date +%s)', "value": 12.5}'
"""

_MULTIPLE = r"""
now=$(date +%s)
curl -i -H 'key: @KEY@' @ADDRESS@/flux/metric_data_post -d '{"metrics": [
  {"metric": "test.cpu", "timestamp": '$now', "value": 12.5},
  {"metric": "test.memory", "timestamp": '$now', "value": 48.2}
]}'
"""

_PYTHON = r"""
import json, os, time, urllib.request

datapoint = {"metric": "test.load", "timestamp": int(time.time()), "value": os.getloadavg()[0]}
request = urllib.request.Request(
    "@ADDRESS@/flux/metric_data_post",
    data=json.dumps({"metrics": [datapoint]}).encode(),
    headers={"key": "@KEY@"},
)
print(urllib.request.urlopen(request, timeout=20).status)
"""

_CRON = (
    r"* * * * * curl -fsS -m 20 -H 'key: @KEY@' @ADDRESS@/flux/metric_data_post"
    r""" -d '{"metric": "'$(hostname)'.load1", "timestamp": '$(date +\%s)',"""
    r""" "value": '$(cut -d' ' -f1 /proc/loadavg)'}'"""
)

_TELEGRAF = r"""
[[outputs.http]]
  url = "@ADDRESS@/flux/metric_data_post"
  method = "POST"
  data_format = "json"
  json_timestamp_units = "1s"
  use_batch_format = true
  content_encoding = "gzip"
  non_retryable_statuscodes = [400, 401, 404, 405, 413]
  [outputs.http.headers]
    key = "@KEY@"
    telegraf = "true"
"""

_SYSTEMD = r"""
sudo install -m 700 /dev/stdin /usr/local/sbin/fluxd-load <<'END'
#!/bin/sh
curl -fsS -m 20 -H 'key: @KEY@' @ADDRESS@/flux/metric_data_post \
  -d '{"metric": "'$(uname -n)'.load5", "timestamp": '$(date +%s)',
       "value": '$(cut -d' ' -f2 /proc/loadavg)'}'
END
sudo tee /etc/systemd/system/fluxd-load.service >/dev/null <<'END'
[Unit]
Description=Send this machine's load to fluxd

[Service]
Type=oneshot
ExecStart=/usr/local/sbin/fluxd-load
NoNewPrivileges=yes
ProtectSystem=strict
END
sudo tee /etc/systemd/system/fluxd-load.timer >/dev/null <<'END'
[Unit]
Description=Send this machine's load to fluxd once a minute

[Timer]
OnCalendar=minutely
AccuracySec=1s

[Install]
WantedBy=timers.target
END
sudo systemctl daemon-reload
sudo systemctl enable --now fluxd-load.timer
"""

_TEST_MODE = r"""
curl -i -H 'key: @KEY@' -H 'x-test-only: true' @ADDRESS@/flux/metric_data_post \
  -d '{"metric": "test.cpu", "timestamp": '$(date +%s)', "value": 12.5}'
"""

_DEPLOY = r"""
curl -fsS -H 'key: @KEY@' @ADDRESS@/api/v1/events \
  -d '{"title": "deploy of web", "minutes": 30, "metrics": ["web-*"]}'
"""

_ALL = (
    (
        "curl",
        "curl, one datapoint",
        "204 says that it is on disk.",
        _SINGLE,
    ),
    (
        "curl-many",
        "curl, several",
        "Up to 500 in one POST are good; 1 MiB is the limit.",
        _MULTIPLE,
    ),
    ("python", "Python", "With the standard library alone.", _PYTHON),
    (
        "cron",
        "cron",
        "A line for crontab -e: this machine's load, once a minute.",
        _CRON,
    ),
    (
        "telegraf",
        "telegraf",
        "For telegraf.conf. Its metrics are named host.tags.measurement.field.",
        _TELEGRAF,
    ),
    (
        "systemd",
        "systemd timer",
        "This machine's load once a minute, without cron; to be pasted into a shell.",
        _SYSTEMD,
    ),
)
