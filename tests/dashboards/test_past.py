"""Pages compare, history, triage and hardware, from a store with a past."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from dashboards import theme
from dashboards.content import Content, Section
from dashboards.pages import built, page_named
from dashboards.source import Source
from harness.analysis.history.study import study
from harness.analysis.view import View
from harness.config.catalog import gpus
from harness.errors import ConfigError
from harness.store import Store, open_store
from harness.store.triage import add_triage
from tests.dashboards.years import BOARDS, FIX, LENGTHS, RESET, STEP, fill_years, sweep_of

CELLS = len(LENGTHS) * len(BOARDS)
"""Of one kernel."""


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    path = tmp_path_factory.mktemp("past") / "a.db"
    fill_years(path, launches=2, kernels=("eager", "sdpa_math", "sdpa_flash"))
    with open_store(str(path)) as opened:
        yield opened


def shown(store: Store, page: str, **view: str) -> Content:
    return built(page_named(page), Source(store, View.from_params(view), gpus()))


def section(content: Content, name: str) -> Section:
    return next(part for part in content.sections if part.id == name)


def parts(content: Content, name: str) -> list[dict[str, object]]:
    return theme.without_rows(section(content, name).chart.to_dict())[1]


def test_a_comparison_counts_verdicts_and_draws_a_line_a_cell(store: Store) -> None:
    content = shown(store, "compare", a=sweep_of(STEP - 1).id, b=sweep_of(STEP).id)
    counts = {tile.label: int(tile.value) for tile in content.tiles}
    assert counts["regressed"] == CELLS
    rows = parts(content, "forest")
    assert len(rows) == 3 * CELLS
    assert [row["verdict"] for row in rows[:CELLS]] == ["regressed"] * CELLS
    for row in rows[:CELLS]:
        assert 1.02 < row["from"] < row["ratio"] < row["to"]  # type: ignore[operator]
    facts = section(content, "environment").table
    assert facts is not None
    assert ["torch", "2.13.0", "2.14.0"] in facts.rows
    assert f"{CELLS} regressed" in section(content, "markdown").code


def test_without_sides_the_newest_sweep_is_compared_with_the_one_before(store: Store) -> None:
    content = shown(store, "compare")
    assert sweep_of(14).id in content.findings[0]
    assert not {"regressed", "improved"} & {tile.label for tile in content.tiles}


def test_a_side_that_is_not_there_is_refused(store: Store) -> None:
    with pytest.raises(ConfigError, match="'nightyl' is no sweep, tag, commit or date"):
        shown(store, "compare", a="nightyl")


def test_one_sweep_alone_says_what_a_comparison_takes(tmp_path: Path) -> None:
    fill_years(tmp_path / "a.db", weeks=1, launches=1, kernels=("eager",))
    with open_store(str(tmp_path / "a.db"), read_only=True) as one:
        content = shown(one, "compare")
        assert "there is only 1 sweep" in content.lead
        assert "attnbench run" in content.lead
        assert "from four sweeps on" in shown(one, "history").lead
        assert "Nothing moved" in shown(one, "triage").lead


def test_history_shows_change_points_with_size_and_commits(store: Store) -> None:
    content = shown(store, "history", kernel="sdpa_flash")
    rows = parts(content, "series_history")
    changes = [row for row in rows if row["part"] == "change"]
    worse = [row for row in changes if row["verdict"] == "worse"]
    assert len(worse) >= CELLS - 1
    assert {row["commits"] for row in worse} == {f"{'06' * 5}..{'07' * 5}"}
    assert all(7 < float(str(row["size"]).strip("+ %")) < 9.5 for row in worse)
    assert {row["changed"] for row in worse} == {"torch 2.13.0 → 2.14.0"}
    levels = [row for row in rows if row["part"] == "level"]
    assert len(levels) == len(changes) + len({row["panel"] for row in changes})
    points = [row for row in rows if row["part"] == "point"]
    assert all(row["low"] < row["value"] < row["high"] for row in points)  # type: ignore[operator]
    software = {row["changed"] for row in rows if row["part"] == "environment"}
    assert software == {"torch 2.13.0 → 2.14.0", "torch 2.14.0 → 2.14.1"}
    assert any(sweep_of(FIX).started_at[:10] in tile for row in _table(content) for tile in row)


def _table(content: Content) -> list[list[str]]:
    table = section(content, "moves").table
    assert table is not None
    return table.rows


def test_history_shows_what_was_excluded_and_reset(store: Store) -> None:
    rows = parts(shown(store, "history", kernel="eager"), "series_history")
    excluded = [row for row in rows if row["part"] == "excluded"]
    assert len(excluded) == 2 * CELLS
    assert {row["changed"] for row in excluded} == {"excluded: the node was shared"}
    rows = parts(shown(store, "history", kernel="sdpa_math"), "series_history")
    resets = [row for row in rows if row["part"] == "reset"]
    assert {row["at"] for row in resets} == {sweep_of(RESET).started_at[:19] + "Z"}
    assert {row["changed"] for row in resets} == {"baseline reset: new cooling"}


def test_triage_shows_state_and_note_by_day(store: Store) -> None:
    before = shown(store, "triage", metric="latency_ms")
    event = next(e for e in study(store, ["latency_ms"]).events if e.sweep == sweep_of(FIX).id)
    table = section(before, "events_by_day").table
    assert table is not None
    assert [row[2] for row in table.rows if row[1] == event.key[:8]] == ["new"]
    links = ["https://x.y/1"]
    add_triage(store, event.key, event.sweep, "expected", "torch was mended", links)
    after = shown(store, "triage", metric="latency_ms")
    notes = section(after, "notes").table
    assert notes is not None
    assert notes.rows[0][2:5] == ["expected", "torch was mended", "https://x.y/1"]
    rows = parts(after, "events_by_day")
    assert {row["state"] for row in rows} >= {"expected", "fixed"}


def test_hardware_shows_each_gpu_over_the_reference(store: Store) -> None:
    content = shown(store, "hardware")
    rows = parts(content, "gpu_ratios")
    means = [float(row["ratio"]) for row in rows if row["part"] == "mean"]  # type: ignore[arg-type]
    assert [0.8 < mean < 0.95 or 1.05 < mean < 1.25 for mean in means] == [True]
    assert sum(row["part"] == "problem" for row in rows) == len(LENGTHS)
    shares = section(shown(store, "hardware", metric="max_error"), "gpu_ratios")
    assert "GPUs aren't compared by max_error" in shares.note
