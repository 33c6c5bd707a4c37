"""From rarities to a score, and what else is news."""

from dataclasses import dataclass

import numpy as np

from fluxd.core.detect import cadence, course, habit, normality, records, steady, tail
from fluxd.core.detect.layout import (
    FORECAST,
    LN10,
    LONG_NOVELTY,
    NOVELTY,
    SEASON,
    THRESHOLD,
    TINY,
    UNREST,
    WARMUP,
    Bools,
    Floats,
    Vitals,
)
from fluxd.core.detect.leak import Leak
from fluxd.core.detect.looking import Look
from fluxd.core.detect.normality import Normality
from fluxd.core.detect.rounds import Rows

PLAIN = 4.5  # rarity beyond which more says little more
STEEP = 0.05
STEP = 6.0  # rarity of any step of what hardly ever changes: it is the doubt that counts them
ALONE = 0.8  # of its rarity counts where one of forecast and season has to make the case alone
AGREED = 0.7  # by so much more than the forecast may say a season that is no witness
HABITUAL = 0.5  # of the rarity counts for what is usual at this time of day
DOUBT = 0.5  # no claim rarer than this / rows seen
BELL_DOUBT, BELL_ROWS = 0.035, 300.0  # the same of bell-shaped errors, at first
PLENTY = 1_200.0  # rows after which an anomaly needs no proof by its size
FAINT_DOUBT = 0.3  # the same of what is no anomaly
SCORE_PER_RARITY = 0.097
LASTING = 0.1  # of score an anomaly has, per rarity of the rows just before: a glitch has none
LEAST_CHANCE = 1e-5  # the band is never wider than that of this chance
BELOW, ABOVE = 0.001, 0.002  # from the threshold: the most of what is no anomaly, the least of news
REMARKABLE = 10.0 ** (-THRESHOLD / SCORE_PER_RARITY)  # chance per row
TRUSTED, DEVIATIONS = 0.9, 4.2  # where errors are normal, so many deviations are remarkable
ONGOING_S, STILL_RARE = 3_600.0, 2.0  # so long an anomaly lasts while its season is so far off
MISSED = 3.0  # edges of the season's error that something usual must have stood out
MORE = 0.03  # of score, per tenfold


@dataclass(slots=True)
class News:
    """What is told whatever the score: which rows, by cause."""

    stuck: Bools
    first: Bools  # change of what was constant so far
    odd: Bools
    missed: Floats  # edges of the season's error; 0: nothing
    wanted: Floats  # the value that was missed
    leak: Leak | None
    record: Bools  # goes on beyond all before


@dataclass(slots=True)
class Judged:
    """The verdict on one row each of several metrics."""

    score: Floats
    expected: Floats
    lower: Floats  # of the band
    upper: Floats
    rare: Floats  # (parts, metrics): -log10 of the chance of each distance
    plain: Bools  # whether the score is an anomaly's without news


def judge(v: Vitals, seen: Look, found: News, rows: Rows, daily: Floats) -> Judged:
    """Weigh what was seen."""
    lean = normality.leaning(v, seen.side, rows.n)
    rare = tail.rarity(v, _straight(v, seen, lean), seen.floor)
    normal = normality.judge(v, seen.fresh / seen.stretch, lean, seen.floor, daily, rows)
    margin = np.maximum(v.edge[FORECAST], seen.floor)
    habitual = 1.0 - (1.0 - HABITUAL) * seen.habitual(margin)
    # For two days its errors are not yet those between days; after an hour it has said it all.
    witness = seen.season.known & (v.ongoing * v.interval <= ONGOING_S)
    main = case(rare, normal, witness) * habitual * ~seen.homeward
    doubt = doubts(seen.light[FORECAST], normal, rows.n)
    doubt *= np.where(seen.season.known, cadence.part(daily), 1.0)
    times = tail.beyond_all(v, seen.distance[FORECAST], seen.floor, seen.magnitude, rows.n)
    shown, seldom = rare, seen.seldom
    lift = cadence.lift(daily, rows.n, seen.season.known)
    if np.count_nonzero(seldom):
        step = STEP * habitual * ((v.held == 0.0) & ~seen.homeward)
        main, shown = np.where(seldom, step, main), np.where(seldom, step, rare)
        doubt += seldom * steady.chance(v, seen.distance[FORECAST], rows.n, lift)
        times[seldom] = 1.0
    chance = np.exp(-LN10 * (main + lift)) + certain(doubt, times)
    result = score(shown, chance, v.trace, rows.n)
    live = rows.seen >= WARMUP
    np.copyto(v.trace, 0.5 * (v.trace + main), where=live)
    remarkable = -np.log10(np.maximum(REMARKABLE - doubt, LEAST_CHANCE)) - lift
    half = tail.reach(v, FORECAST, np.maximum(remarkable, tail.EDGE_RARITY), seen.floor)
    near = v.mean[FORECAST] * (DEVIATIONS / normality.HALF_NORMAL)
    half = np.where(normal.trust > TRUSTED, np.minimum(half, near), half)
    # On its first day a time of day has nothing but what the anomaly itself has taught.
    off = live & np.where(seen.season.visited, rare[SEASON] > STILL_RARE, seen.strayed)
    result = _ongoing(v, result, off)
    expected, lower, upper = _band(v, seen, half * seen.stretch, found.record)
    plain = result >= THRESHOLD
    return Judged(with_news(result, found), expected, lower, upper, rare, plain)


def _band(v: Vitals, seen: Look, half: Floats, record: Bools) -> tuple[Floats, Floats, Floats]:
    """Return the value to be expected and the band around it, no wider than all that was.

    The forecast follows what goes on beyond all before, of which a person would not say that it is
    to be expected.
    """
    half = np.minimum(half, v.record_high - v.record_low + seen.floor)
    lower, upper = seen.expected - half, seen.expected + half
    if not np.count_nonzero(record):
        return seen.expected, lower, upper
    usual = np.where(seen.season.known, seen.season.base, v.level)
    low, high = records.bounds(v, seen.floor)
    lower = np.where(record, np.minimum(low, usual), lower)
    upper = np.where(record, np.maximum(high, usual), upper)
    return np.where(record, usual, seen.expected), lower, upper


def _straight(v: Vitals, seen: Look, lean: Floats) -> Floats:
    """Return the distances, the forecast's less on the side to which its errors are skew.

    As far as its tail rests on the bulk's shape; later the tail speaks for itself.
    """
    far = normality.deviations(v, seen.distance[FORECAST])
    less = 1.0 - normality.straight(far, lean) / np.maximum(far, TINY)
    distance = seen.distance.copy()
    distance[FORECAST] *= 1.0 - seen.light[FORECAST] * np.maximum(less, 0.0)
    return distance


def case(rare: Floats, normal: Normality, witness: Bools) -> Floats:
    """Return how rare the row is, all parts weighed.

    Where it is no `witness` the season counts for hardly more than the forecast does.
    """
    most = np.minimum(rare, PLAIN + STEEP * (rare - PLAIN))
    main = 0.4 * most[FORECAST] + 0.2 * (most[NOVELTY] + most[SEASON] + most[UNREST])
    season = np.where(witness, most[SEASON], np.minimum(most[SEASON], most[FORECAST] + AGREED))
    alone = ALONE * np.maximum(most[FORECAST], season)
    weighed: Floats = np.maximum(np.maximum(main, alone), normal.rarity)
    return weighed


def score(rare: Floats, chance: Floats, trace: Floats, n: Floats) -> Floats:
    """Return the score: about a tenth of -log10 of the `chance`, and more of what lasts.

    Below the threshold the order is another one, which shows what is odd but no anomaly: long
    courses count for more there.
    """
    sure = np.maximum(-SCORE_PER_RARITY * np.log10(chance), 0.0)
    faint = 0.15 * rare[FORECAST] + 0.3 * rare[NOVELTY] + 0.1 * rare[SEASON]
    faint += 0.45 * rare[LONG_NOVELTY]
    chance = np.exp(-LN10 * faint) + FAINT_DOUBT / (n + 1.0)
    unsure = np.maximum(-SCORE_PER_RARITY * np.log10(chance), 0.0)
    faintly = np.minimum(unsure, THRESHOLD - BELOW)
    odd = rare[FORECAST] > tail.EDGE_RARITY  # else it is an echo of a glitch
    surely = sure + LASTING * trace * odd
    result: Floats = np.minimum(np.where(sure >= THRESHOLD, surely, faintly), 1.0)
    return result


def _ongoing(v: Vitals, result: Floats, off: Bools) -> Floats:
    """Let an anomaly last while the metric stays off its season, for an hour at most.

    The forecast follows within some rows, but a person would not say that it is over.
    """
    found = result >= THRESHOLD
    if not (np.count_nonzero(found) or np.count_nonzero(v.ongoing)):
        return result
    goes_on = off & (found | (v.ongoing > 0.0))
    np.copyto(v.ongoing, np.where(goes_on, v.ongoing + 1.0, 0.0))
    return np.where(goes_on & lasting(v, 0.0), np.maximum(result, THRESHOLD), result)


def lasting(v: Vitals, rows: float, least: float = 0.0) -> Bools:
    """Tell where an anomaly has lasted for more than so many rows, and for no more than an hour.

    Or for no more than `least` rows, where that is longer.
    """
    most = np.maximum(ONGOING_S, least * v.interval)
    now: Bools = (v.ongoing > rows) & (v.ongoing * v.interval <= most)
    return now


def doubts(light: Floats, normal: Normality, n: Floats) -> Floats:
    """Return the chance below which no claim goes, for want of rows."""
    early = np.minimum((BELL_ROWS / (n + 1.0)) ** 2, 1.0) * light
    sure = 1.0 - (1.0 - early) * (1.0 - normal.trust)
    doubt: Floats = (DOUBT + sure * (BELL_DOUBT - DOUBT)) / (n + 1.0)
    return doubt


def certain(doubt: Floats, times: Floats) -> Floats:
    """Lessen the doubt for want of rows where an error is so many times the largest to be expected.

    Even of a law with a tail as heavy as Cauchy's, an error k times the largest of n comes once in
    k n rows. No less doubt is left than after PLENTY of rows, so early anomalies rank low.
    """
    least = DOUBT / PLENTY
    return np.where(doubt > least, np.maximum(doubt / times, least), doubt)


def news(
    v: Vitals, seen: Look, rows: Rows, missed: habit.Missed, leak: Leak | None, record: Bools
) -> News:
    """Look at what needs no score; `record` is what `records.turn` tells."""
    told, wanted = np.zeros((2, seen.value.size))
    at = missed.at
    if at.size:
        edge = np.maximum(np.maximum(v.edge[SEASON, at], seen.floor[at]), TINY)
        ratio = missed.distance / edge
        told[at] = np.where(ratio > MISSED, ratio, 0.0)
        wanted[at] = missed.value
    # A metric in its warm-up must not change because a live one shares its batch.
    odd = course.odd(v, seen.span, v.error + seen.floor, rows.seen >= WARMUP)
    first = steady.first(v, seen.error > seen.floor, rows)
    return News(steady.stuck(v), first, odd, told, wanted, leak, record & ~seen.seldom)


def with_news(plain: Floats, found: News) -> Floats:
    """Raise the scores of what is news to the threshold."""
    least = THRESHOLD + ABOVE
    flags = found.stuck | found.first | found.odd | found.record
    if found.leak is None and not (np.count_nonzero(flags) or np.count_nonzero(found.missed)):
        return plain
    raised = np.where(flags, np.maximum(plain, least), plain)
    far = MORE * np.log10(np.maximum(found.missed / MISSED, 1.0))
    raised = np.where(found.missed > 0.0, np.maximum(raised, least + np.minimum(far, 0.1)), raised)
    if found.leak is not None:
        raised[found.leak.at] = np.maximum(raised[found.leak.at], least)
    return raised
