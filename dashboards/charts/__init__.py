"""Chart functions: cells in, one Altair chart out. One file each, and the same for every page.

Each takes the frame of ``harness.analysis.query.cells`` (prepared or not) and ``kernels``, all
kernels of the page, so that colours agree between charts. Charts of other things than cells (a
measurement's samples, errors over time, the state of the data) are in the files beside these. An
empty frame gives a chart that says what to do.
"""

from dashboards.charts.accuracy import accuracy
from dashboards.charts.energy import energy
from dashboards.charts.error_ratio import error_ratio
from dashboards.charts.failures import failures
from dashboards.charts.latency import latency
from dashboards.charts.memory import memory
from dashboards.charts.roofline import roofline
from dashboards.charts.speedup import speedup
from dashboards.charts.throughput import throughput

__all__ = [
    "accuracy",
    "energy",
    "error_ratio",
    "failures",
    "latency",
    "memory",
    "roofline",
    "speedup",
    "throughput",
]
