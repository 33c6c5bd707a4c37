"""Metric names in paths: percent-encoded, so that `/` in a name is no step of the path.

A WSGI server decodes a path before anybody sees it, after which `a/b` and `a%2Fb` look the same,
and the metric `a/datapoints` like the datapoints of `a`. The address as sent tells them apart.
"""

from urllib.parse import quote_from_bytes, unquote_to_bytes

import falcon

PREFIXES = ("/api/v1/metrics/", "/metrics-list/")


class EncodedPaths:
    """Falcon middleware that has metrics' addresses routed as they were sent, still encoded."""

    def process_request(self, req: falcon.Request, _resp: falcon.Response) -> None:
        """Put the encoded path in place of the decoded one."""
        if req.path.startswith(PREFIXES):
            req.path = _encoded(req)


def metric_of(segment: str) -> str | None:
    """Return the name that a segment of an encoded path spells, None where it's no UTF-8.

    >>> metric_of("disk.%2Fvar.50%25+1")
    'disk./var.50%+1'
    """
    try:
        return unquote_to_bytes(segment).decode()
    except UnicodeDecodeError:
        return None


def _encoded(req: falcon.Request) -> str:
    """Return the path as it was sent.

    waitress gives the address as REQUEST_URI, gunicorn and falcon's test client as RAW_URI; it
    may be a whole URL. Where it's missing, or a proxy between has changed the path, the decoded
    path is encoded again: all metrics but those with `/` in their names are still found.
    """
    decoded = req.env["PATH_INFO"].encode("latin-1")
    sent: str = req.env.get("REQUEST_URI") or req.env.get("RAW_URI") or ""
    path = sent.partition("?")[0].partition("#")[0]
    if not path.startswith("/"):
        path = "/" + path.partition("://")[2].partition("/")[2]
    if unquote_to_bytes(path.encode("latin-1", "replace")) == decoded:
        return path
    return quote_from_bytes(decoded)
