"""How GPUs compare: one problem on each, what each reaches of its limits, and one that isn't owned.

    frame = read_hardware(store, gpus, kernel="sdpa_*")
    found = hardware(frame, gpus)
    found.cells                                # a row a problem and GPU, its best kernel
    ratios(found, "h100", "latency_ms")        # each over a reference, with its interval
    predict(found, gpus, "h200")               # by roofline, with the error of leaving each out

All but ``read_hardware`` are functions of frames.
"""

from harness.analysis.hardware.boards import Board, board_spread
from harness.analysis.hardware.figures import FIGURES, Figure, figure_named
from harness.analysis.hardware.matrix import Hardware, hardware
from harness.analysis.hardware.mixed import Mixed
from harness.analysis.hardware.prediction import Prediction, predict
from harness.analysis.hardware.ratios import Ratios, ratios
from harness.analysis.hardware.read import read_hardware

__all__ = [
    "FIGURES",
    "Board",
    "Figure",
    "Hardware",
    "Mixed",
    "Prediction",
    "Ratios",
    "board_spread",
    "figure_named",
    "hardware",
    "predict",
    "ratios",
    "read_hardware",
]
