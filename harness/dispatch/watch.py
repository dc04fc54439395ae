"""A driver watches its own sweep in the store: whoever marks it as ended, ends it.

``attnbench cancel`` needs to know neither the driver's machine nor its process: it writes the
state, and the driver reads it every POLL_S.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from harness.errors import StoreError
from harness.store import Store

POLL_S = 2.0


@contextmanager
def watched(
    store: Store, sweep_id: str, stop: Callable[[], None], *, poll_s: float = POLL_S
) -> Iterator[threading.Event]:
    """Call ``stop`` once the sweep is no longer running; the event says that it was called."""
    cancelled, left = threading.Event(), threading.Event()

    def look() -> None:
        while not left.wait(poll_s):
            try:
                state = store.sweep(sweep_id).state
            except StoreError:  # it is away for a while: storing says so, and waits for it
                continue
            if state != "running" and not left.is_set():
                cancelled.set()
                stop()
                return

    thread = threading.Thread(target=look, name="attnbench-cancel", daemon=True)
    thread.start()
    try:
        yield cancelled
    finally:
        left.set()
        thread.join(timeout=POLL_S)  # a database that is away must not hold up the end
