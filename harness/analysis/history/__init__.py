"""What changed in a series, and when: change points on plain arrays.

    from harness.analysis.history import detect_changes

    for change in detect_changes(latencies_ms, min_effect=0.02, groups=boards):
        print(change.index, change.direction, f"{change.ratio:.3f}", change.low, change.high)

``detect_changes`` needs no store and knows no metric: any sequence of numbers in order will do.
"""

from harness.analysis.history.detect import ChangePoint, detect_changes

__all__ = ["ChangePoint", "detect_changes"]
