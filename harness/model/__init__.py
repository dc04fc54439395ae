"""The nouns: frozen dataclasses that every other part speaks in. Imports nothing but the stdlib."""

from harness.model.environment import Device, Environment, Revision
from harness.model.external import External, utc_time
from harness.model.gpu import Gpu
from harness.model.interval import median, median_interval
from harness.model.kernel import Kernel, Limits
from harness.model.plan import Job, Plan, Skip
from harness.model.problem import DIRECTIONS, DTYPE_BYTES, Params, Problem, params_of
from harness.model.record import Accuracy, Memory, Record, Status, failed
from harness.model.summary import Summary
from harness.model.sweep import Sweep, new_sweep_id, utc_now
from harness.model.timing import MODES, Timing

__all__ = [
    "DIRECTIONS",
    "DTYPE_BYTES",
    "MODES",
    "Accuracy",
    "Device",
    "Environment",
    "External",
    "Gpu",
    "Job",
    "Kernel",
    "Limits",
    "Memory",
    "Params",
    "Plan",
    "Problem",
    "Record",
    "Revision",
    "Skip",
    "Status",
    "Summary",
    "Sweep",
    "Timing",
    "failed",
    "median",
    "median_interval",
    "new_sweep_id",
    "params_of",
    "utc_now",
    "utc_time",
]
