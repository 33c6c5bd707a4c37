"""The ingestion endpoints: what stands around the parsers and the store."""

import falcon

from fluxd.core.errors import PayloadTooLargeError, UnauthorisedError
from fluxd.ingest.body import inflate
from fluxd.ingest.flux import parse_post, parse_query
from fluxd.ingest.telegraf import TelegrafPost, parse_telegraf
from fluxd.web.flux_answers import Answers, Parsed
from fluxd.web.flux_telegraf import TelegrafAnswers
from fluxd.web.services import Services

MAX_WIRE_BYTES = 1_048_576  # the customer's 1024K

TOO_LARGE = f"payload too large - more than {MAX_WIRE_BYTES} bytes: send fewer metrics in one POST"

_NOT_A_TEST = frozenset({"false", "0", "no", "off"})
_NOT_TELEGRAF = frozenset({"false"})


class FluxResource:
    """POST /flux/metric_data_post."""

    def __init__(self, services: Services) -> None:
        self._services = services
        self._answers = Answers(services)
        self._telegraf = TelegrafAnswers(services)

    def on_post(self, req: falcon.Request, resp: falcon.Response) -> None:
        """Take datapoints in; 204 says that they are on stable storage."""
        services = self._services
        now = int(services.clock())
        header_key = req.env.get("HTTP_KEY") or None
        key = services.store.keys.find(header_key) if header_key is not None else None

        def parse() -> Parsed:
            return parse_post(
                self._read_body(req, refuse=header_key is not None and key is None),
                header_key or _bearer(req),
                services.store.keys.find,
                services.store.catalog.known,
                now,
                services.max_age,
            )

        if not _is_on(req.env.get("HTTP_TELEGRAF"), _NOT_TELEGRAF):
            self._answers.answer(parse, resp, now, key=key, test=_is_test(req))
            return

        def parse_batch() -> TelegrafPost:
            return parse_telegraf(
                self._read_body(req, refuse=header_key is not None and key is None),
                header_key or _bearer(req),
                req.env.get("HTTP_PREFIX") or None,
                services.store.keys.find,
                services.store.catalog.known,
                now,
                services.max_age,
            )

        self._telegraf.answer(parse_batch, resp, now, key=key, test=_is_test(req))

    def _read_body(self, req: falcon.Request, *, refuse: bool) -> bytes:
        """Return the inflated body; steps 1 to 3 of the contract, `refuse` for a wrong key."""
        body: bytes = req.bounded_stream.read(MAX_WIRE_BYTES + 1)
        if len(body) > MAX_WIRE_BYTES:
            raise PayloadTooLargeError(TOO_LARGE)
        if refuse:
            raise UnauthorisedError("invalid key")
        encoding = req.env.get("HTTP_CONTENT_ENCODING")
        if encoding is None:
            return body
        return inflate(body, encoding, self._services.max_inflated_bytes)


class FluxQueryResource:
    """GET /flux/metric_data, for senders that can only GET."""

    def __init__(self, services: Services) -> None:
        self._services = services
        self._answers = Answers(services)

    def on_get(self, req: falcon.Request, resp: falcon.Response) -> None:
        """Take one datapoint in from the query string."""
        services = self._services
        now = int(services.clock())
        params = falcon.uri.parse_query_string(req.query_string, keep_blank=True, csv=False)

        def parse() -> Parsed:
            return parse_query(
                {name: v if isinstance(v, str) else v[-1] for name, v in params.items()},
                req.env.get("HTTP_KEY") or _bearer(req),
                services.store.keys.find,
                services.store.catalog.known,
                now,
                services.max_age,
            )

        self._answers.answer(parse, resp, now, key=None, test=_is_test(req))


def _is_test(req: falcon.Request) -> bool:
    return _is_on(req.env.get("HTTP_X_TEST_ONLY"), _NOT_A_TEST)


def _is_on(flag: str | None, off: frozenset[str]) -> bool:
    return flag is not None and flag.strip().lower() not in off


def _bearer(req: falcon.Request) -> str | None:
    scheme, _, token = req.env.get("HTTP_AUTHORIZATION", "").partition(" ")
    return (token.strip() or None) if scheme.lower() == "bearer" else None
