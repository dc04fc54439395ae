"""How long a sweep will take, roughly: good to a factor of two or three, and said to be so.

Per job and launch: a fixed overhead (child process, build, first call), the warm-up, and the
sampling, ``min(budget, max(min_time, min_samples × latency))``. The latency is the problem's FLOPs
over a third of the peak, or its least bytes over half of the bandwidth, whichever is longer; where
a figure is unknown (every CPU, unknown GPUs) a cautious one stands in. Nothing else uses it, and no
stored number ever comes of it. GPU models run side by side, the jobs of one model one by one.
"""

from __future__ import annotations

from collections import defaultdict

from harness.model import Gpu, Job, Plan, Problem
from harness.model.timing import ENERGY_S
from harness.operators import cost_model

OVERHEAD_S = 0.15
"""Child process, build, inputs, checks: paid once a job and launch."""
CPU_GFLOPS_PER_CORE = 15.0
"""What attention reaches on one core in fp32."""
UNKNOWN_TFLOPS = 20.0
"""A GPU without a known peak."""
COMPUTE_SHARE = 0.33
"""Share of the peak that a kernel is assumed to reach."""
MEMORY_SHARE = 0.5
"""Share of the bandwidth that a kernel is assumed to reach."""


def estimate_s(plan: Plan) -> float:
    """Seconds that the plan will take, a rough figure."""
    by_gpu: dict[str, float] = defaultdict(float)
    latencies: dict[tuple[str, str], float] = {}
    for job in plan.jobs:
        place = (job.problem.key, job.gpu.name)
        if place not in latencies:
            latencies[place] = latency_s(job.problem, job.gpu)
        by_gpu[job.gpu.name] += job_s(job, latencies[place])
    return max(by_gpu.values(), default=0.0)


def job_s(job: Job, latency: float) -> float:
    """Seconds of one job in all of its launches."""
    t = job.timing
    energy = ENERGY_S if t.energy else 0.0
    sampling = min(t.budget_s, max(t.min_time_s, t.min_samples * latency))
    checks = 2 * latency
    once = OVERHEAD_S + checks + max(t.warmup_s, latency) + max(sampling, latency) + energy
    return t.launches * min(once, t.timeout_s)


def latency_s(problem: Problem, gpu: Gpu) -> float:
    """Seconds of one call, a rough figure."""
    model = cost_model(problem.operator)
    if gpu.kind == "cpu":
        from harness.hardware import usable_cores

        rate = CPU_GFLOPS_PER_CORE * 1e9 * (gpu.threads or usable_cores())
    else:
        rate = (gpu.peak(problem.dtype) or UNKNOWN_TFLOPS) * 1e12 * COMPUTE_SHARE
    bandwidth = (gpu.bandwidth_gb_s or 20.0) * 1e9 * MEMORY_SHARE
    return max(model.flops(problem) / rate, model.min_bytes(problem) / bandwidth)
