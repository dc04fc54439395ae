"""From override strings to a Plan: which jobs would run, what is skipped and why, and how long.

    planned = build_plan(["experiment=quickstart"])
    planned.plan.jobs, planned.plan.skips

Imports neither torch nor ray.
"""

from harness.plan.planned import ClusterSettings, Planned, StoreSettings
from harness.plan.planner import build_plan

__all__ = ["ClusterSettings", "Planned", "StoreSettings", "build_plan"]
