"""Every error that fluxd raises on purpose.

    FluxdError                  message: a sentence for a person, with the fix where there is one
    ├── BadRequestError         the sender must change the request
    ├── UnauthorisedError       no key, an unknown one, or one of the wrong scope
    ├── ForbiddenError          not under this name, or not from another site's page
    ├── TooManyAttemptsError    sign-ins that failed; trying again later can help
    ├── NotFoundError           there is no such thing
    ├── PayloadTooLargeError    the body is over a limit; sending it again can't help
    ├── UnavailableError        the store can't take it now; sending it again can help
    ├── ConfigError             a setting is wrong; the daemon doesn't start
    ├── ChannelError            a field of a notification channel is wrong
    ├── DeliveryError           a notification did not arrive
    └── StoreError              the store can't be used: missing, held, newer, damaged

Their HTTP statuses are in one table, `fluxd.web.errors`.
"""

from fluxd.core.keys import Key


class FluxdError(Exception):
    """Base of all; `str(error)` is the message for a person."""

    @property
    def message(self) -> str:
        """The sentence for the person who has to act on it."""
        return str(self)


class BadRequestError(FluxdError):
    """A request that can never be accepted as it is.

    `index` is the position of the offending element in `metrics`, `element` its JSON text (cut),
    `key` the sender's key where it was identified before the fault was found; `test` says that the
    request asked to be checked only.
    """

    def __init__(
        self,
        message: str,
        *,
        index: int | None = None,
        element: str | None = None,
        key: Key | None = None,
    ) -> None:
        super().__init__(message)
        self.test = False
        self.index = index
        self.element = element
        self.key = key


class UnauthorisedError(FluxdError):
    """No key, an unknown or revoked one, or one that may not do this."""


class ForbiddenError(FluxdError):
    """A browser's request that may have been sent without its user's knowledge."""


class TooManyAttemptsError(FluxdError):
    """More failed attempts to sign in than anybody makes by mistake."""

    def __init__(self, message: str, *, retry_after_s: int) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s


class NotFoundError(FluxdError):
    """There is nothing under that name."""


class PayloadTooLargeError(FluxdError):
    """A body over a limit, as sent or once inflated."""


class UnavailableError(FluxdError):
    """The store can't take datapoints now; nothing of the request was stored."""

    def __init__(self, message: str, *, retry_after_s: int = 5) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s


class ConfigError(FluxdError):
    """A setting that is unknown, of the wrong type or out of its bounds."""


class ChannelError(FluxdError):
    """A notification channel whose settings can't work; `field` is the one to mend, or ""."""

    def __init__(self, message: str, *, field: str = "") -> None:
        super().__init__(message)
        self.field = field


class DeliveryError(FluxdError):
    """A notification that was not taken, as far as is known.

    `reason` says what to mend and holds no secret; `retry` whether sending it again can help,
    `retry_after_s` how long (s) the other side wants to be left alone before (None: it didn't say).
    """

    def __init__(self, reason: str, *, retry: bool, retry_after_s: float | None = None) -> None:
        super().__init__(reason)
        self.reason = reason
        self.retry = retry
        self.retry_after_s = retry_after_s


class StoreError(FluxdError):
    """A store that can't be opened: missing, held by another daemon, newer than this program."""
