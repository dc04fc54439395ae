"""Our Triton kernels' machine code, for GPUs that aren't here: it exists, fits, and spills nothing.

A few problems stand for all: ``python -m tests.kernels.ahead`` compiles every one of full_size.py
and prints what each takes.
"""

from __future__ import annotations

import pytest

from tests.kernels.ahead import SHARED_BYTES, compiled, faults, launches
from tests.kernels.claims import shipped
from tests.kernels.full_size import CASES, TESTED, WIDE, wide
from tests.kernels.test_triton import PROBLEMS

COMPILED = [(name, case, sm) for name, case, wanted in TESTED for sm in wanted]
TENSOR_CORES = {80: ("mma.sync",), 90: ("wgmma", "mma.sync"), 100: ("tcgen05.mma", "mma.sync")}


@pytest.mark.parametrize(("name", "case", "capability"), COMPILED)
def test_it_compiles_ahead_of_time_and_spills_nothing(
    name: str, case: str, capability: int
) -> None:
    problem = CASES[name][case]
    used = set()
    for launch in launches(shipped()[name], problem, capability):
        code = compiled(launch, capability)
        assert faults(code, capability) == [], launch.name
        used |= {word for word in TENSOR_CORES[capability] if word in code.ptx}
        if capability == 90 and launch.name in WIDE and wide(problem):
            assert "wgmma" in code.ptx, launch.name
    assert used


def test_every_triton_kernel_is_compiled() -> None:
    pairs = {(name, sm) for name, _, sm in COMPILED}
    assert pairs == {(name, sm) for name in PROBLEMS for sm in SHARED_BYTES}
    assert set(CASES) == set(PROBLEMS)
