from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from harness.store import Store, open_store
from tests.store.make import SWEEP

OTHER = replace(SWEEP, id="20260301-000000-ffffff", started_at="2026-03-01T00:00:00.000000+00:00")
"""A sweep two months after SWEEP."""


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    """A store in which SWEEP and OTHER are running."""
    with open_store(str(tmp_path / "attnbench.db"), create=True) as store:
        store.start_sweep(SWEEP)
        store.start_sweep(OTHER)
        yield store
