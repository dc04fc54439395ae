"""Results of other tools, read into ``External``: unchecked, for their history.

    from harness.importers import read_file

    for result in read_file("benchmarks.json"):
        print(result.benchmark, dict(result.params), result.value, result.unit)

One module a format: its docstring says where the format is described, ``recognises`` whether a file
is of it, ``read`` yields what it says. FORMATS lists them; a new one is one more entry.
"""

from harness.importers.formats import FORMATS, detect, read_file
from harness.importers.source import Given

__all__ = ["FORMATS", "Given", "detect", "read_file"]
