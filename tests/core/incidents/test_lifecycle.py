import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from fluxd.core.incidents.lifecycle import EVENTS, STATES, TRANSITIONS, Event, State, after
from fluxd.core.incidents.notices import CALM_S, GATHER_S, SETTLE_S, Notice, Told, decide
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


@given(
    st.sampled_from(STATES),
    severities,
    severities,
    st.none() | severities,
    st.lists(notices, unique=True),
    st.booleans(),
    st.booleans(),
)
def test_a_decision_is_never_more_than_needed(
    state: State,
    severity: Severity,
    least: Severity,
    told: Severity | None,
    waiting: list[Notice],
    wanted: bool,  # noqa: FBT001
    over: bool,  # noqa: FBT001
) -> None:
    before = Told(told, None if told is None else NOW - 10, tuple(waiting), over=over)
    found = decide(state, severity, before, least=least, wanted=wanted, now=NOW)
    assert set(found.cancel) <= set(waiting)
    if found.queue is not None:
        assert found.queue not in waiting
        assert found.due >= NOW
    if found.queue in ("opened", "worsened"):
        assert wanted
        assert rank(severity) >= rank(least)
    if found.queue == "opened":
        assert told is None
    if found.queue == "worsened":
        assert told is not None
        assert rank(severity) > rank(told)
        assert state == "open"
        assert found.due == NOW - 10 + SETTLE_S
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
        self.told = Told()
        self.due: dict[Notice, int] = {}
        self.story: list[tuple[Notice, Severity]] = []
        self.look()

    def look(self) -> None:
        found = decide(
            self.state, self.severity, self.told, least="normal", wanted=True, now=self.now
        )
        for notice in found.cancel:
            del self.due[notice]
        if found.queue is not None:
            self.due[found.queue] = found.due
        self.told = Told(
            self.told.severity, self.told.at, tuple(self.due), over=self.told.over and not self.due
        )

    @rule(event=st.sampled_from(EVENTS))
    def happen(self, event: Event) -> None:
        state = after(self.state, event)
        if state is None:
            return
        if event == "worsened":
            self.severity = SEVERITIES[min(rank(self.severity) + 1, 3)]
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
        self.story.append((notice, self.severity))
        if notice == "resolved":
            self.told = Told(waiting=tuple(self.due), over=not self.due)
        else:
            self.told = Told(self.severity, self.now, tuple(self.due))

    @rule(seconds=st.integers(1, 1_000))
    def wait(self, seconds: int) -> None:
        self.now += seconds

    @invariant()
    def the_story_has_a_beginning_and_an_end(self) -> None:
        begun: Severity | None = None
        for notice, severity in self.story:
            if notice == "opened":
                assert begun is None
                begun = severity
            elif notice == "worsened":
                assert begun is not None
                assert rank(severity) > rank(begun)
                begun = severity
            else:
                begun = None

    @invariant()
    def what_is_open_is_told_or_waits(self) -> None:
        if self.state == "open":
            told = self.told.severity
            assert "opened" in self.due or told is not None
            if told is not None and rank(self.severity) > rank(told):
                assert "worsened" in self.due
        if self.state == "resolved" and self.told.severity is not None:
            assert "resolved" in self.due

    @invariant()
    def one_of_a_kind_waits(self) -> None:
        assert len(self.due) <= 1


TestTellingAnIncident = TellingAnIncident.TestCase


def test_what_is_over_at_once_is_told_in_one_message() -> None:
    found = decide("resolved", "normal", Told(), least="normal", wanted=True, now=NOW)
    assert (found.queue, found.due) == ("opened", NOW + GATHER_S)
    waiting = Told(waiting=("opened",))
    assert decide("resolved", "normal", waiting, least="normal", wanted=True, now=NOW).queue is None
    over = Told(over=True)
    assert decide("resolved", "normal", over, least="normal", wanted=True, now=NOW).queue is None
