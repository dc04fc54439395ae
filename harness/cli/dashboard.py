"""``attnbench dashboard``: the pages as a live app."""

from __future__ import annotations

from harness.cli.common import store_url


def dashboard_command(address: str, port: int, public: str, store: str | None) -> int:
    """Body of ``attnbench dashboard``; returns the exit code. Looks at the store before it serves:
    what is wrong is said here, and not to the first visitor."""
    from dashboards.live.serve import serve
    from harness.store import open_store

    url = store_url(store)
    with open_store(url, read_only=True) as opened:
        print(f"{opened.safe_url}, read-only", flush=True)
    serve(url, address=address, port=port, public=public)
    return 0
