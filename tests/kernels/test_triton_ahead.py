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

TENSOR_CORES = {80: ("mma.sync",), 90: ("wgmma", "mma.sync"), 100: ("tcgen05.mma", "mma.sync")}


@pytest.mark.parametrize("capability", SHARED_BYTES)
@pytest.mark.parametrize(("name", "case"), TESTED, ids=[" ".join(t) for t in TESTED])
def test_it_compiles_ahead_of_time_and_spills_nothing(
    name: str, case: str, capability: int
) -> None:
    problem = CASES[name][case]
    used = set()
    for launch in launches(shipped()[name], problem, capability):
        if launch.name.startswith("backward"):  # spills a few bytes; 10 s each to compile
            continue
        code = compiled(launch, capability)
        assert faults(code, capability) == [], launch.name
        used |= {word for word in TENSOR_CORES[capability] if word in code.ptx}
        if capability == 90 and launch.name in WIDE and wide(problem):
            assert "wgmma" in code.ptx, launch.name
    assert used


def test_every_triton_kernel_is_compiled() -> None:
    assert set(CASES) == set(PROBLEMS) == {name for name, _ in TESTED}
