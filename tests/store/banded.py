"""What the tests of stored bands need: to save some, and to read them as dictionaries."""

import numpy as np
from store.posting import NOW

from fluxd.core.bands import Band
from fluxd.store import Store
from fluxd.store.bands import labels_of, pack, read_bands, write_bands
from fluxd.store.places import DAY_S

DAY = NOW // DAY_S * DAY_S

Points = dict[int, int]  # by timestamp


def band_of(points: Points) -> Band:
    """Return a band that comes back exactly: 64 wide around whole numbers."""
    times = np.array(sorted(points), np.int64)
    expected = np.array([float(points[time]) for time in sorted(points)])
    return Band(times, expected, expected - 32, expected + 32, expected % 201 / 200)


def save(store: Store, now: int, series: dict[int, Points]) -> None:
    rows = pack((one, band_of(points)) for one, points in sorted(series.items()))
    store.writer.run(lambda connection: write_bands(connection, rows, now=now))


def read(store: Store, series: int, since: int = 0, until: int = 2**34) -> Points:
    with store.read() as reader:
        band = read_bands(reader, series, since, until)
    assert (np.diff(band.timestamps) > 0).all()
    assert (band.lower == band.expected - 32).all()
    assert (band.upper == band.expected + 32).all()
    assert (band.score == band.expected % 201 / 200).all()
    return dict(zip(band.timestamps.tolist(), band.expected.astype(int).tolist(), strict=True))


def labels(store: Store) -> list[int]:
    with store.read() as reader:
        return list(labels_of(reader, 0, 2**34))
