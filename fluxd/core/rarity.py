"""How unusual a score is, as a person would say it."""

from fluxd.core.detect import rows_between
from fluxd.core.wording import DAY_S, span

YEAR_S = 365 * DAY_S
MOST_YEARS = 10  # nobody has watched the rarest scores for longer
LEAST_ROWS = 2.0


def rarity(score: float, interval: float | None) -> str:
    """Say how seldom a quiet metric has such a score; `interval` (s) makes a time of it.

    >>> rarity(0.31, 1.0), rarity(0.33, 60.0), rarity(0.9, 60.0)
    ('once in 18 days', 'once in 59 days', 'less than once in 10 years')
    >>> rarity(0.40, None)
    'once in 891,000 datapoints'
    """
    rows = max(rows_between(score, interval), LEAST_ROWS)
    if interval is None:
        digits = len(str(int(rows))) - 3
        return f"once in {round(rows, -max(digits, 0)):,.0f} datapoints"
    seconds = rows * interval
    if seconds >= MOST_YEARS * YEAR_S:
        return f"less than once in {MOST_YEARS} years"
    if seconds >= 2 * YEAR_S:
        return f"once in {int(seconds // YEAR_S)} years"
    return f"once in {span(seconds)}"
