"""The cells through pytest-benchmark, as its documentation has it."""

import pytest
from cells import CELLS, call_of


@pytest.mark.parametrize(("backend", "length", "dtype"), CELLS)
def test_cell(benchmark, backend, length, dtype):
    benchmark(call_of(backend, length, dtype))
