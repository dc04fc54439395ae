"""Beside other tools: ``make bench-others`` (minutes; never part of ``make bench``)."""
