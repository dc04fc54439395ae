"""By what GPUs compare: time, or throughput over what the hardware is, takes and costs."""

from __future__ import annotations

from dataclasses import dataclass

from harness.errors import ConfigError, did_you_mean


@dataclass(frozen=True)
class Figure:
    """A column of ``Hardware.cells``."""

    name: str
    """The column."""
    title: str
    """For headings, without the unit."""
    unit: str
    """As people write it; "" for a share."""
    higher_is_better: bool
    """Which way is good."""
    needs: str
    """What of the hardware has to be known; "" for nothing."""


_ALL = (
    Figure("latency_ms", "Latency", "ms", False, ""),
    Figure("tflops", "Throughput", "TFLOP/s", True, ""),
    Figure("bandwidth_gb_s", "Effective bandwidth", "GB/s", True, ""),
    Figure("of_peak", "Share of peak", "", True, "peak_tflops of the dtype in conf/gpu"),
    Figure("of_bandwidth", "Share of bandwidth", "", True, "bandwidth_gb_s in conf/gpu"),
    Figure("of_roofline", "Share of roofline", "", True, "peak_tflops and bandwidth_gb_s"),
    Figure("tflops_per_board_w", "Throughput per watt", "TFLOP/s/W", True, "power_w in conf/gpu"),
    Figure("tflops_per_w", "Throughput per watt drawn", "TFLOP/s/W", True, "timing.energy=true"),
    Figure("pflop_per_money", "Work per money", "PFLOP", True, "price_per_hour in conf/gpu"),
)

FIGURES: dict[str, Figure] = {figure.name: figure for figure in _ALL}
"""Every figure by name."""

ALIASES = {
    "latency": "latency_ms",
    "time": "latency_ms",
    "throughput": "tflops",
    "peak": "of_peak",
    "bandwidth": "of_bandwidth",
    "roofline": "of_roofline",
    "watt": "tflops_per_board_w",
    "energy": "tflops_per_w",
    "money": "pflop_per_money",
    "price": "pflop_per_money",
}
"""Short words for them."""


def figure_named(text: str) -> Figure:
    """The figure of a name or a short word for it. Raises ConfigError, naming close ones."""
    name = ALIASES.get(text, text)
    if name not in FIGURES:
        raise ConfigError(f"{text!r} is no figure. {did_you_mean(text, [*ALIASES, *FIGURES])}")
    return FIGURES[name]
