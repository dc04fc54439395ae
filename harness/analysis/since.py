"""``--since``: a moment, or an age."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

from harness.errors import ConfigError

_UNITS = {"m": "minutes", "h": "hours", "d": "days", "w": "weeks"}


def parse_since(text: str, now: datetime | None = None) -> str:
    """The moment that ``text`` names, UTC, as the text to which records' times compare.

    That is ISO 8601 without the zone, and without a fraction of zero: so it sorts before all the
    ways to write the moment, whether or not they have a fraction.

    ``7d``, ``12h``, ``30m`` and ``2w`` count back from ``now``; else an ISO date or time, in UTC
    unless it says otherwise.

    Raises:
        ConfigError: it is neither.
    """
    age = re.fullmatch(r"(\d+)\s*([mhdw])", text.strip())
    try:
        if age:
            moment = (now or datetime.now(UTC)) - timedelta(**{_UNITS[age[2]]: int(age[1])})
        else:
            moment = datetime.fromisoformat(text.strip())
            if moment.tzinfo is None:
                moment = moment.replace(tzinfo=UTC)
        return moment.astimezone(UTC).replace(tzinfo=None).isoformat()
    except (ValueError, OverflowError):
        raise ConfigError(
            f"since={text!r} is neither an age (30m, 12h, 7d, 2w) nor an ISO date or time "
            "(2026-01-31, 2026-01-31T12:00)"
        ) from None
