"""Pages: the templates, what each of them is given, and the headers that every answer carries."""

import time
from collections.abc import Mapping
from typing import Any

import falcon
import jinja2

import fluxd
from fluxd.core.hush import HISTORY
from fluxd.web.assets import Assets
from fluxd.web.page_filters import moments, path, visible

# Scripts, styles and pictures come from here and from nowhere else, none of them inline; nobody may
# show a page in a frame of theirs, and forms go nowhere else. `data:` is for pictures in our CSS.
CONTENT_SECURITY_POLICY = (
    "default-src 'self'; img-src 'self' data:; object-src 'none'; base-uri 'none'; "
    "form-action 'self'; frame-ancestors 'none'"
)

SECURITY_HEADERS: Mapping[str, str] = {
    "Content-Security-Policy": CONTENT_SECURITY_POLICY,
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    # Not no-referrer: with that a browser sends `Origin: null` with our own forms.
    "Referrer-Policy": "same-origin",
    "X-Frame-Options": "DENY",
}

# The navigation: address, title; a page says which one it belongs to by setting `section`.
NAVIGATION = (
    ("/", "Now"),
    ("/incidents", "Incidents"),
    ("/metrics-list", "Metrics"),
    ("/settings/integrations", "Settings"),
    ("/status", "Status"),
)
SETTINGS = (
    ("/settings/integrations", "Integrations"),
    ("/settings/ingestion-test", "Metric Ingestion Test"),
    ("/settings/notifications", "Notifications"),
    ("/settings/silence", "Silence"),
    ("/settings/keys", "Keys"),
    ("/settings/access", "Access"),
)


class Page:
    """Marks a resource as one for browsers: who isn't signed in gets the sign-in page (401).

    Errors of such a resource are answered as pages too.
    """


ASSETS = Assets()


def _environment() -> jinja2.Environment:
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("fluxd.web", "templates"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
    )
    environment.filters |= {"utc": utc, "iso": iso, "grouped": grouped}
    environment.filters |= {"path": path, "visible": visible, "moments": moments}
    environment.globals |= {
        "asset": ASSETS.address,
        "history": HISTORY,
        "navigation": NAVIGATION,
        "settings_pages": SETTINGS,
        "version": fluxd.__version__,
    }
    return environment


def render(resp: falcon.Response, template: str, *, status: int = 200, **context: object) -> None:
    """Make a template the answer.

    Every template has, beside `context`: `asset(name)`, the address of a static file; `csrf`, the
    token that each form has to send; `signed_in`; `version`; and the filters `utc` ("14:05 UTC on
    2026-11-03"), `iso` and `grouped` ("1,234").
    """
    session = getattr(resp.context, "session", None)
    given: dict[str, Any] = {
        "csrf": session.csrf if session is not None else "",
        "signed_in": session is not None,
        "section": "",
    }
    resp.status = status
    resp.content_type = falcon.MEDIA_HTML
    resp.text = _ENVIRONMENT.get_template(template).render(given | context)


def utc(timestamp: float) -> str:
    """Write a time (Unix s) for a person.

    >>> utc(1793714760)
    '14:06 UTC on 2026-11-03'
    """
    return time.strftime("%H:%M UTC on %Y-%m-%d", time.gmtime(timestamp))


def iso(timestamp: float) -> str:
    """Write a time (Unix s) for a machine.

    >>> iso(1793714760)
    '2026-11-03T14:06:00Z'
    """
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(timestamp))


def sentence(message: str) -> str:
    """Make an error's message a sentence.

    >>> sentence("there is no such key")
    'There is no such key.'
    """
    return f"{message[:1].upper()}{message[1:]}."


def grouped(number: float) -> str:
    """Write a number with its thousands apart.

    >>> grouped(1234567), grouped(0.5)
    ('1,234,567', '0.5')
    """
    return f"{number:,}"


_ENVIRONMENT = _environment()
