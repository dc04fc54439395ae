"""attnbench: a distributed benchmarking harness for attention kernels, with a result database.

The way through it is one direction::

    conf/*.yaml → Experiment → Plan → Dispatcher (Ray)
      → worker: build → inputs → check against the fp64 oracle → time → Record
      → Store → query → charts → report
"""

__version__ = "0.1.0"
