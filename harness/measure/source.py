"""A kernel's file, looked at without running it: what lists show in milliseconds, without torch."""

from __future__ import annotations

import dis
from functools import cache
from pathlib import Path

from harness.errors import KernelError
from harness.measure.loader import kernel_path
from harness.model import Kernel


def source_error(kernel: Kernel) -> str | None:
    """Why the kernel's file can't work wherever it is loaded, or None.

    It isn't there, isn't Python, or binds no ``build`` at its top level. What goes wrong only while
    it is imported shows where it is loaded: ``load_kernel``.
    """
    try:
        path = kernel_path(kernel)
    except KernelError as error:
        return str(error)
    wrong = _file_error(path)
    return f"kernel {kernel.name}: {wrong}" if wrong else None


@cache
def _file_error(path: Path) -> str | None:
    try:
        code = compile(path.read_bytes(), str(path), "exec", dont_inherit=True)
    except OSError as error:
        return f"{path} can't be read: {error.strerror}"
    except SyntaxError as error:
        where = f", line {error.lineno}" if error.lineno else ""
        return f"{path}{where} isn't Python: {error.msg}"
    except ValueError as error:  # a NUL byte
        return f"{path} isn't Python: {error}"
    steps = list(dis.get_instructions(code))
    bound = {step.argval for step in steps if step.opname.startswith("STORE_")}
    # what `from … import *` brings can't be known without importing
    if "build" in bound or any(step.argval == ("*",) for step in steps):
        return None
    return f"{path} has no build(problem, device, options)"
