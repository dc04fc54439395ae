"""The cells through pyperf, as its documentation has it."""

import pyperf
from cells import CELLS, call_of

runner = pyperf.Runner()
for backend, length, dtype in CELLS:
    runner.bench_func(f"{backend}-{length}-{dtype}", call_of(backend, length, dtype))
