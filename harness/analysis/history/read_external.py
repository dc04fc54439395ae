"""Tracks of what other tools measured: a point a run, in its own unit."""

from __future__ import annotations

import json

import numpy as np

from harness.analysis.external import LEAST_EFFECT, externals
from harness.analysis.history.facts import facts_of_external
from harness.analysis.history.track import Track
from harness.analysis.query import Names
from harness.errors import ConfigError, did_you_mean
from harness.store import Store


def read_external_tracks(store: Store, benchmark: Names = None) -> list[Track]:
    """Every matching series' track, in order of title; by commit where all runs say its time.

    Raises:
        ConfigError: no benchmark matches (says what is close).
    """
    frame = externals(store, benchmark=benchmark)
    if frame.empty and benchmark is not None:
        known = externals(store)["benchmark"].unique()
        asked = benchmark if isinstance(benchmark, str) else ", ".join(benchmark)
        raise ConfigError(f"no external benchmark {asked}. {did_you_mean(asked, known)}")
    found = []
    for key, runs in frame.groupby("series_key", sort=False):
        committed = [str(json.loads(text).get("commit_time") or "") for text in runs["metadata"]]
        by_commit = all(committed)
        order = runs.assign(_commit=committed if by_commit else "")
        part = order.sort_values(["_commit", "measured_at"], kind="stable")
        last = part.iloc[-1]
        higher = last["higher_is_better"]
        labels = {"benchmark": last["benchmark"], "params": "", "device": last["device"]}
        params = json.loads(last["params"])
        labels["params"] = " ".join(f"{name}={value}" for name, value in params.items())
        at = part["measured_at"].tolist()
        versions = part["version"].tolist()
        found.append(
            Track(
                str(key),
                str(last["measure"]),
                str(last["unit"]),
                None if higher is None or np.isnan(higher) else bool(higher),
                LEAST_EFFECT,
                labels,
                part["value"].to_numpy(float),
                at,
                [
                    f"{moment} {version}".strip()
                    for moment, version in zip(at, versions, strict=True)
                ],
                [str(device) for device in part["device"]],
                [
                    facts_of_external(version, text)
                    for version, text in zip(versions, part["metadata"], strict=True)
                ],
                by_commit,
            )
        )
    return sorted(found, key=lambda track: (track.title, track.metric))
