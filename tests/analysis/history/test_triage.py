"""What was said of events silences them, a fix is noticed, and a fix that isn't one is doubted."""

from __future__ import annotations

from dataclasses import replace

import pytest

from harness.analysis.history.study import History, study
from harness.analysis.triage import Triaged, accepted, moves_to_keep, triaged
from harness.errors import StoreError
from harness.store import Store
from harness.store.audit import audit_log
from harness.store.triage import TriageEntry, add_triage, triage_entries
from tests.analysis.history.nightly import Changed, environment, fill

SLOWER = 10


def planted(number: int, night: int) -> Changed:
    """From the tenth night on a fifth slower, with a new torch; from the thirtieth as before."""
    if SLOWER <= night < 30:
        return {"environment": environment("2.13.0"), "factor": 1.2}
    return {}


def events_of(store: Store) -> tuple[History, list[Triaged]]:
    found = study(store, ["latency_ms"])
    return found, triaged(found.events, triage_entries(store))


def say(store: Store, state: str, note: str = "") -> TriageEntry:
    found, _ = events_of(store)
    event = found.events[-1]  # the oldest
    return add_triage(store, event.key, event.sweep, state, note, (), moves_to_keep(event))


@pytest.mark.parametrize("state", ["acknowledged", "expected", "ignored"])
def test_what_was_spoken_of_doesnt_alarm_and_new_undoes_that(store: Store, state: str) -> None:
    fill(store, 3, range(20), planted)
    _, (before,) = events_of(store)
    assert (before.state, len(before.alarming)) == ("new", 3)
    say(store, state, "the mask is checked now")
    _, (after,) = events_of(store)
    assert (after.state, after.alarming, after.note) == (state, (), "the mask is checked now")
    say(store, "new")
    _, (again,) = events_of(store)
    assert (again.state, len(again.alarming), len(again.entries)) == ("new", 3, 2)
    assert [one.action for one in audit_log(store)].count("triage") == 2


def test_an_event_found_again_a_sweep_further_on_is_still_known(store: Store) -> None:
    fill(store, 3, range(20), planted)
    entry = say(store, "acknowledged")
    found, _ = events_of(store)
    nearby = replace(entry, event="another key", sweep=found.tracks[0].sweeps[SLOWER + 2])
    (held,) = triaged(found.events, [nearby])
    assert (held.state, held.alarming) == ("acknowledged", ())
    far = replace(nearby, sweep=found.tracks[0].sweeps[SLOWER + 5])
    (other,) = triaged(found.events, [far])
    assert (other.state, len(other.alarming)) == ("new", 3), "that was another event"
    opposite = replace(nearby, moves=tuple(replace(m, direction=-1) for m in nearby.moves))
    assert triaged(found.events, [opposite])[0].state == "new"


def test_a_series_that_nobody_spoke_of_alarms(store: Store) -> None:
    fill(store, 3, range(20), planted)
    entry = say(store, "acknowledged")
    found, _ = events_of(store)
    partly = replace(entry, event="another key", moves=entry.moves[:2])
    (one,) = triaged(found.events, [partly])
    assert (one.state, len(one.alarming)) == ("new", 1)
    assert one.alarming[0].track.series_key == entry.moves[2].series


def test_a_fix_is_noticed_and_a_new_regression_alarms_again(store: Store) -> None:
    def again(number: int, night: int) -> Changed:
        return {"factor": 1.2} if night >= 50 else planted(number, night)

    fill(store, 2, range(20), planted)
    say(store, "acknowledged")
    fill(store, 2, range(20, 45), planted)
    _, states = events_of(store)
    assert [one.state for one in states][-1] == "fixed"
    assert states[-1].fixed_at[:10] == "2026-01-31"
    fill(store, 2, range(45, 60), again)
    _, states = events_of(store)
    assert len(states[0].alarming) == 2, "what was acknowledged was the event before the fix"
    assert states[-1].alarming == ()


def test_a_fix_that_was_only_told_of_is_doubted_after_five_points(store: Store) -> None:
    fill(store, 2, range(20), planted)
    entry = say(store, "fixed")
    found, _ = events_of(store)
    for points, doubted in ((4, False), (5, True)):
        at = max(track.at[20 - points - 1] for track in found.tracks)
        (one,) = triaged(found.events, [replace(entry, at=at)])
        assert (one.state, one.doubted) == ("fixed", doubted)
        assert bool(one.alarming) == doubted


def test_what_a_gate_may_accept_lies_between_its_two_sweeps(store: Store) -> None:
    fill(store, 1, range(20), planted)
    entry = say(store, "expected")
    (move,) = entry.moves
    key = move.series, "latency_ms", 1
    assert move.ratio == pytest.approx(1.2, rel=0.01)
    known = accepted([entry], "2026010", "20260111-z")
    assert known[key][1] == pytest.approx(move.ratio)
    assert accepted([entry], entry.sweep, "9") == {}, "the baseline has it already"
    assert accepted([entry], "2025", "20260105") == {}
    later = replace(entry, event="later", at="9999", sweep=entry.sweep + "x")
    assert accepted([entry, later], "2025", "9")[key][1] == pytest.approx(move.ratio**2)
    for state in ("new", "fixed"):
        undone = replace(entry, at="9999", state=state)
        assert accepted([entry, undone], "2025", "9") == {}


def test_what_makes_no_sense_is_refused(store: Store) -> None:
    with pytest.raises(StoreError, match="Did you mean ignored"):
        add_triage(store, "e", "s", "ignore")
    with pytest.raises(StoreError, match="no URL"):
        add_triage(store, "e", "s", "ignored", links=["see #7"])
    with pytest.raises(StoreError, match="NUL"):
        add_triage(store, "e", "s", "ignored", "a\0b")
    assert triage_entries(store) == []
