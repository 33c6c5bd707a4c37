"""Sign-in links: what `fluxd link` and the first start print."""

from urllib.parse import urlsplit, urlunsplit

from fluxd.core.errors import ConfigError, StoreError
from fluxd.daemon.addresses import EVERYWHERE
from fluxd.store.connection import Connection
from fluxd.store.logins import add_link, read_address


def fresh_link(connection: Connection, now: int, base: str | None = None) -> str:
    """Return a link that signs a browser in, once and within ten minutes of `now` (Unix s).

    `base` is how the browser reaches the daemon, None for the address that it listens on. Raises
    StoreError before the daemon's first start, and ConfigError for a `base` that is no address.
    """
    address = read_address(connection) if base is None else _checked(base)
    if address is None:
        raise StoreError("the daemon has not run yet, so there is no address: `fluxd serve`")
    return f"{reachable(address)}/sign-in?token={add_link(connection, now)}"


def reachable(address: str) -> str:
    """Return an address to go to for one that is listened on.

    >>> reachable("http://0.0.0.0:3589"), reachable("http://[::]:3589")
    ('http://127.0.0.1:3589', 'http://[::1]:3589')
    """
    parts = urlsplit(address)
    if parts.hostname not in EVERYWHERE:
        return address
    loopback = "[::1]" if parts.hostname == "::" else "127.0.0.1"
    return urlunsplit(parts._replace(netloc=f"{loopback}:{parts.port}"))


def _checked(base: str) -> str:
    parts = urlsplit(base)
    if parts.scheme not in ("http", "https") or not parts.netloc or parts.path.strip("/"):
        raise ConfigError(f"--url is {base!r}; it must be like https://flux.example.org")
    return f"{parts.scheme}://{parts.netloc}"
