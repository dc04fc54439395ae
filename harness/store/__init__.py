"""The result database.

    from harness.store import open_store

    with open_store("results/attnbench.db", read_only=True) as store:
        for record in store.records():
            print(record.kernel.name, record.median_ms)

Imports neither torch, ray nor pandas; as a frame: ``harness.analysis.query.results(store)``.
Beside the store itself: ``annotations`` (tag, exclude, reset_baseline), ``retention``
(prune_samples, delete_sweep), ``triage``, ``audit``, ``upkeep`` (info, check, vacuum, backup).
"""

from harness.store.migrate import upgrade
from harness.store.store import Store, open_store
from harness.store.sweeps import StoredSweep

__all__ = ["Store", "StoredSweep", "open_store", "upgrade"]
