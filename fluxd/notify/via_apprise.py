"""Every other service through apprise (https://github.com/caronc/apprise), where it is installed.

One channel is one address: with several, one that fails would make the others hear it again.
Apprise says what went wrong in its log alone, which may hold the address: it goes no further.
"""

import importlib.util
import logging
import queue
import sys
import threading
from dataclasses import dataclass, field
from urllib.parse import parse_qsl, urlsplit

from fluxd.core.errors import ChannelError, DeliveryError
from fluxd.core.message import Message
from fluxd.notify.channel import Answer
from fluxd.notify.fields import Field, Kind, Settings, read_line
from fluxd.notify.scrub import secrets_of, snippet
from fluxd.notify.wording import subject, text

_TYPES = {"opened": "warning", "worsened": "failure", "resolved": "success"}
_NO = ("no", "false", "0", "off", "n", "f")


@dataclass(frozen=True, slots=True)
class Apprise:
    """Hands the message to apprise."""

    url: str = field(repr=False)

    def send(self, message: Message, timeout_s: float) -> Answer:
        """Deliver the message; see `Channel`.

        Apprise can't be stopped: a thread that hangs in it is left behind, and ends by apprise's
        own time limits (4 s to connect, 4 s for each answer).
        """
        done: queue.SimpleQueue[Answer | Exception] = queue.SimpleQueue()

        def run() -> None:
            try:
                done.put(self._notify(message))
            except Exception as error:  # noqa: BLE001  # told below, by the thread that waits
                done.put(error)

        threading.Thread(target=run, name="fluxd-apprise", daemon=True).start()
        try:
            outcome = done.get(timeout=timeout_s)
        except queue.Empty:
            raise DeliveryError(
                f"{self._service()} did not answer within {timeout_s:g} s: see whether it hangs",
                retry=True,
            ) from None
        if isinstance(outcome, Answer):
            return outcome
        if isinstance(outcome, DeliveryError):
            raise outcome
        said = snippet(f"{type(outcome).__name__}: {outcome}", self._secrets())
        raise DeliveryError(f"apprise failed ({said})", retry=True)

    def _notify(self, message: Message) -> Answer:
        if not installed():
            raise DeliveryError(missing(), retry=False)
        import apprise  # noqa: PLC0415  # 120 services: half a second and 30 MB

        # Its log may hold the address; what concerns this message comes by log_callback.
        logging.getLogger("apprise").propagate = False
        heard: list[str] = []
        asset = apprise.AppriseAsset(app_id="fluxd", app_desc="fluxd")
        sender = apprise.Apprise(asset=asset)
        if not sender.add(self.url):
            raise DeliveryError(
                f"apprise can't use this {self._service()} address: check it against apprise's "
                "list of services",
                retry=False,
            )
        taken = sender.notify(
            title=subject(message),
            body=text(message),
            notify_type=_TYPES.get(message.kind, "info"),
            body_format="text",
            log_callback=lambda entry, _service: heard.append(entry.message),
            log_level=logging.WARNING,
        )
        if not taken:
            said = snippet("; ".join(heard), self._secrets())
            raise DeliveryError(
                f"{self._service()} did not take it: check the address, and that service"
                + (f" (it says: {said})" if said else ""),
                retry=True,  # apprise does not say which failures stay
            )
        return Answer(f"sent by apprise to {self._service()}")

    def _service(self) -> str:
        return f"{urlsplit(self.url).scheme}://"

    def _secrets(self) -> tuple[str, ...]:
        # Before the path too: apprise's hosts are often tokens.
        return (*secrets_of(self.url), urlsplit(self.url).netloc)


def installed() -> bool:
    """Whether apprise is there."""
    return importlib.util.find_spec("apprise") is not None


def missing() -> str:
    """Say how to install it, into the very Python that runs this."""
    return f"apprise is not installed: run {sys.executable} -m pip install 'fluxd[apprise]'"


def _read_url(given: str) -> str:
    wants = "one apprise address such as tgram://TOKEN/CHAT or discord://ID/TOKEN"
    try:
        parts = urlsplit(read_line(given))
        query = parse_qsl(parts.query)
    except ValueError:
        raise ValueError(wants) from None
    if not parts.scheme or "://" not in given or " " in given:
        raise ValueError(wants)
    if any(name.lower() == "verify" and value.lower() in _NO for name, value in query):
        raise ValueError(f"{wants}, without verify=no: certificates are always checked")
    return given


def _agree(_settings: Settings) -> None:
    if not installed():
        raise ChannelError(missing())


def _make(settings: Settings) -> Apprise:
    return Apprise(settings["url"])


KIND = Kind(
    "apprise",
    "Another service, by apprise",
    (
        Field(
            "url",
            "Apprise address",
            "one address as apprise writes them, such as tgram://TOKEN/CHAT",
            secret=True,
            required=True,
            read=_read_url,
        ),
    ),
    _make,
    _agree,
)
