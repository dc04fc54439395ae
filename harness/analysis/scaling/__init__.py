"""How time grows with length: exponents, changes of regime, and where two kernels cross.

    fitted_exponent(lengths, latencies)         # where the power law holds
    changed_regime(lengths, latencies)          # overhead-bound → power law, if it does
    crossing(lengths, log_ratio, half_width)    # where one overtakes the other

On plain lists, without pandas; of a frame of cells: ``harness.analysis.scaling.laws``.
"""

from harness.analysis.scaling.crossing import Crossing, crossing, extrapolated
from harness.analysis.scaling.exponent import FLAT, LEAST, Exponent, fitted_exponent
from harness.analysis.scaling.regimes import Regimes, changed_regime

__all__ = [
    "FLAT",
    "LEAST",
    "Crossing",
    "Exponent",
    "Regimes",
    "changed_regime",
    "crossing",
    "extrapolated",
    "fitted_exponent",
]
