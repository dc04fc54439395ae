"""Colours: distinct, stable while kernels come and go, legible on both backgrounds."""

from __future__ import annotations

import itertools

import pytest

from dashboards import theme

KERNELS = ["eager", "flex", "numpy", "sdpa_cudnn", "sdpa_efficient", "sdpa_flash", "sdpa_math"]


def contrast(a: str, b: str) -> float:
    """WCAG 2.2's contrast ratio of two colours."""

    def luminance(colour: str) -> float:
        parts = (int(colour[i : i + 2], 16) / 255 for i in (1, 3, 5))
        r, g, b = (c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in parts)
        return 0.2126 * r + 0.7152 * g + 0.0722 * b

    high, low = sorted((luminance(a), luminance(b)), reverse=True)
    return (high + 0.05) / (low + 0.05)


def test_kernels_up_to_the_palette_have_colours_of_their_own():
    assert len(set(theme.colours(KERNELS))) == len(KERNELS)


@pytest.mark.parametrize("n", [11, 40])
def test_beyond_the_palette_colour_and_shape_together_tell_apart(n):
    names = [f"kernel_{i}" for i in range(n)]
    looks = set(zip(theme.colours(names), theme.shapes(names), strict=True))
    assert len(looks) == n


def test_order_and_repetition_of_the_kernels_do_not_matter():
    assert theme.places([*reversed(KERNELS), "eager"]) == theme.places(KERNELS)


def test_a_kernel_taken_away_moves_none_that_stood_on_its_own_place():
    """Only those that had to give way may move, so most keep their colour."""
    moved = 0
    for kernel in KERNELS:
        left = theme.places(k for k in KERNELS if k != kernel)
        moved += sum(left[k] != theme.places(KERNELS)[k] for k in left)
    assert moved <= len(KERNELS)  # an index into the sorted list would move 21


def test_palettes_have_a_contrast_of_three_on_their_background():
    for palette, look in ((theme.PALETTE, theme.LIGHT), (theme.PALETTE_DARK, theme.DARK)):
        for colour in (*palette, look["muted"], look["ink"]):
            assert contrast(colour, look["background"]) >= 3, colour


def test_colours_within_a_palette_differ():
    for palette in (theme.PALETTE, theme.PALETTE_DARK):
        for a, b in itertools.combinations(palette, 2):
            distance = sum(abs(int(a[i : i + 2], 16) - int(b[i : i + 2], 16)) for i in (1, 3, 5))
            assert distance > 60, (a, b)


def test_dark_turns_colours_but_neither_data_nor_names():
    blue = theme.PALETTE[0]
    spec = {
        "config": theme.config(),
        "data": {"values": [{"kernel": blue}]},
        "encoding": {"color": {"scale": {"domain": [blue], "range": [blue]}}},
    }
    dark = theme.dark(spec)
    assert dark["config"]["background"] == theme.DARK["background"]
    assert dark["encoding"]["color"]["scale"] == {
        "domain": [blue],
        "range": [theme.PALETTE_DARK[0]],
    }
    assert dark["data"] == spec["data"]
