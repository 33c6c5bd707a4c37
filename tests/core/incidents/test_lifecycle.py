import itertools
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from fluxd.core.incidents.lifecycle import EVENTS, STATES, TRANSITIONS, Event, State, after
from fluxd.core.incidents.notices import (
    CALM_S,
    GATHER_S,
    SETTLE_S,
    Decision,
    Notice,
    Told,
    decide,
)
from fluxd.core.incidents.telling import FLOOD_MESSAGES, MANY, VERY_MANY, is_loss, is_worse
from fluxd.core.message import SEVERITIES, Severity, rank

NOW = 1_700_000_000


@pytest.mark.parametrize(("state", "event"), list(itertools.product(STATES, EVENTS)))
def test_every_event_in_every_state(state: State, event: Event) -> None:
    """The table again, as sentences."""
    found = after(state, event)
    if event == "appeared":
        assert found == ("acknowledged" if state == "acknowledged" else "open")
    elif event == "over":
        assert found == "resolved"
    elif state == "resolved":
        assert found == ("resolved" if event == "resolve" else None)
    else:
        wanted = {
            "worsened": "open",
            "acknowledge": "acknowledged",
            "release": "open",
            "resolve": "resolved",
        }
        assert found == wanted[event]


def test_the_table_names_known_states_alone() -> None:
    assert {state for state, _ in TRANSITIONS} == set(STATES)
    assert {event for _, event in TRANSITIONS} == set(EVENTS)
    assert set(TRANSITIONS.values()) == set(STATES)


severities = st.sampled_from(SEVERITIES)
notices = st.sampled_from(("opened", "worsened", "resolved"))


told_before = st.builds(
    Told,
    severity=severities,
    metrics=st.none() | st.integers(1, 200),
    at=st.just(NOW - 10),
    waiting=st.sets(notices),
    down=st.none() | st.integers(0, 15),
    messages=st.integers(1, 3),
)
nothing_told = st.builds(Told, waiting=st.sets(notices), over=st.booleans())


@given(
    st.sampled_from(STATES),
    severities,
    st.integers(1, 200),
    severities,
    told_before | nothing_told,
    st.integers(0, 15),
    st.booleans(),
)
def test_a_decision_is_never_more_than_needed(
    state: State,
    severity: Severity,
    metrics: int,
    least: Severity,
    before: Told,
    down: int,
    wanted: bool,  # noqa: FBT001
) -> None:
    told, waiting = before.severity, before.waiting
    found = decide(state, severity, metrics, before, least=least, wanted=wanted, now=NOW, down=down)
    assert set(found.cancel) <= set(waiting)
    if found.queue is not None:
        assert found.queue not in set(waiting) - set(found.cancel)
        assert found.due >= NOW
    if found.queue in ("opened", "worsened"):
        assert wanted
        assert rank(severity) >= rank(least)
    if found.queue == "opened":
        assert told is None
    if found.queue == "worsened":
        assert told is not None
        worse = is_worse(told, before.metrics, severity, metrics)
        lost = is_loss(before.metrics, before.down, down, told=before.messages)
        assert worse or lost or rank(told) < rank(least)
        assert state == "open"
        assert found.due == (NOW + GATHER_S if severity == "critical" else NOW - 10 + SETTLE_S)
    if found.latest is not None:
        assert (severity, found.latest) == ("critical", NOW + GATHER_S)
    if found.queue == "resolved":
        assert state == "resolved"
        assert told is not None
        assert found.due == NOW + CALM_S


class TellingAnIncident(RuleBasedStateMachine):
    """An incident, and a channel that gets what is due; what it gets must make a story."""

    def __init__(self) -> None:
        super().__init__()
        self.now = NOW
        self.state: State = "open"
        self.severity: Severity = "normal"
        self.metrics = 1
        self.told = Told()
        self.due: dict[Notice, int] = {}
        self.story: list[tuple[Notice, Severity, int]] = []
        self.look()

    def look(self) -> None:
        found = decide(
            self.state,
            self.severity,
            self.metrics,
            self.told,
            least="normal",
            wanted=True,
            now=self.now,
        )
        for notice in found.cancel:
            del self.due[notice]
        if found.latest is not None:
            self.due = {notice: min(due, found.latest) for notice, due in self.due.items()}
        if found.queue is not None:
            self.due[found.queue] = found.due
        over = self.told.over and not self.due
        self.told = replace(self.told, waiting=set(self.due), over=over)

    @rule(event=st.sampled_from(EVENTS))
    def happen(self, event: Event) -> None:
        state = after(self.state, event)
        if state is None:
            return
        if event == "worsened":
            self.severity = SEVERITIES[min(rank(self.severity) + 1, 3)]
            self.metrics = max(self.metrics, MANY)
        self.state = state
        self.look()

    @precondition(lambda self: self.due)
    @rule()
    def send(self) -> None:
        """Send what is due next, in the order in which it was queued."""
        notice = next(iter(self.due))
        self.now = max(self.now, self.due.pop(notice))
        if self.state == "resolved":
            notice = "resolved"
        self.story.append((notice, self.severity, self.metrics))
        if notice == "resolved":
            self.told = Told(waiting=set(self.due), over=not self.due)
        else:
            self.told = Told(self.severity, self.metrics, self.now, set(self.due))

    @rule()
    def creep_up(self) -> None:
        """Let the oddest member be odder: without more metrics that is no news."""
        self.severity = max(self.severity, "high", key=rank)
        self.look()

    @rule(seconds=st.integers(1, 1_000))
    def wait(self, seconds: int) -> None:
        self.now += seconds

    @invariant()
    def the_story_has_a_beginning_and_an_end(self) -> None:
        begun: tuple[Severity, int] | None = None
        for notice, severity, metrics in self.story:
            if notice == "opened":
                assert begun is None
                begun = severity, metrics
            elif notice == "worsened":
                assert begun is not None
                assert is_worse(*begun, severity, metrics)
                begun = severity, metrics
            else:
                begun = None

    @invariant()
    def what_is_open_is_told_or_waits(self) -> None:
        if self.state == "open":
            told = self.told.severity
            assert "opened" in self.due or told is not None
            had = self.told.metrics
            if told is not None and is_worse(told, had, self.severity, self.metrics):
                assert "worsened" in self.due
                if self.severity == "critical":
                    assert self.due["worsened"] <= self.now + GATHER_S
        if self.state == "resolved" and self.told.severity is not None:
            assert "resolved" in self.due

    @invariant()
    def one_of_a_kind_waits(self) -> None:
        assert len(self.due) <= 1


TestTellingAnIncident = TellingAnIncident.TestCase


def test_what_is_over_at_once_is_told_in_one_message() -> None:
    def decided(told: Told) -> Decision:
        return decide("resolved", "normal", 1, told, least="normal", wanted=True, now=NOW)

    found = decided(Told())
    assert (found.queue, found.due) == ("opened", NOW + GATHER_S)
    assert decided(Told(waiting=["opened"])).queue is None
    assert decided(Told(over=True)).queue is None


def test_that_another_host_stopped_is_news_but_for_a_flood_that_was_told_twice() -> None:
    assert is_loss(4, 0, 1, told=1)
    assert is_loss(4, 1, 2, told=9)
    assert not is_loss(4, 1, 1, told=1)
    assert not is_loss(4, None, 1, told=1)  # told by an earlier version, which did not count
    for had, had_down in ((VERY_MANY, 0), (MANY, MANY), (None, 0)):
        assert is_loss(had, had_down, 20, told=FLOOD_MESSAGES - 1)
        assert not is_loss(had, had_down, 20, told=FLOOD_MESSAGES)
