"""Numbers and names as people read them."""

from __future__ import annotations

import math

import pytest

from dashboards import formats


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.012345, "0.0123"),
        (1.2, "1.20"),
        (12.34, "12.3"),
        (999.6, "1,000"),
        (12345.6, "12,300"),
        (0, "0"),
        (math.nan, "–"),
        (None, "–"),
    ],
)
def test_three_significant_digits(value, text):
    assert formats.number(value) == text


def test_a_value_without_an_interval_stands_alone():
    assert formats.spread(1.23, 1.2, 1.27) == "1.23 (1.20–1.27)"
    assert formats.spread(1.23, math.nan, math.nan) == "1.23"
    assert formats.ratio(3.42, 3.3, 3.6) == "3.42× (3.30–3.60)"


def test_options_read_as_text_whatever_form_they_come_in():
    assert formats.options('{"b": 2, "a": 1}') == formats.options({"a": 1, "b": 2}) == "a=1, b=2"
    assert formats.options("") == formats.options("{}") == formats.options(None) == ""
    assert formats.options("{broken") == "{broken"


def test_long_lists_are_counted():
    assert formats.listing(["a"]) == "a"
    assert formats.listing(["a", "b", "c"]) == "a, b and c"
    assert formats.listing([str(i) for i in range(20)], 3) == "0, 1, 2 and 17 more"
