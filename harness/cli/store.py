"""``attnbench store``: upgrade a database."""

from __future__ import annotations

from harness.cli.common import store_url


def upgrade_command(url: str | None) -> int:
    """Body of ``attnbench store upgrade``; returns the exit code."""
    from harness.store import upgrade

    print(upgrade(store_url(url)))
    return 0
