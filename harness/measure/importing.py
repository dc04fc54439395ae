"""Whether kernel files import, found out in a process apart: what one does there harms nobody.

    import_errors(kernels) → {name: why it doesn't import}

For lists of a user's own kernels. The process loads torch once, and is started anew after a file
that ends it or hangs.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Sequence

from harness.errors import KernelError
from harness.measure.forks import ending
from harness.measure.loader import load_kernel
from harness.model import Kernel

TIMEOUT_S = 60.0
"""For all that a list holds: importing torch takes seconds where the disk is cold."""


def import_errors(kernels: Sequence[Kernel]) -> dict[str, str]:
    """Of each kernel that doesn't import, why; {} where all do."""
    left, errors = list(kernels), dict[str, str]()
    while left:
        command = [sys.executable, "-P", "-m", "harness.measure.importing"]
        asked = json.dumps([kernel.to_dict() for kernel in left])
        try:
            done = subprocess.run(
                command, input=asked, capture_output=True, text=True, check=False, timeout=TIMEOUT_S
            )
            out, how = done.stdout, f"importing it, {ending(done.returncode)}"
        except subprocess.TimeoutExpired as late:
            said = late.stdout or b""
            out = said.decode() if isinstance(said, bytes) else said
            how = f"importing it took over {TIMEOUT_S:.0f} s"
        answers = [json.loads(line) for line in out.splitlines() if line.startswith('{"kernel"')]
        errors |= {a["kernel"]: a["error"] for a in answers if a["error"]}
        left = left[len(answers) :]
        if left:  # the next one ended the process
            errors[left[0].name] = f"kernel {left[0].name}: {how}"
            left = left[1:]
    return errors


def main() -> None:
    """In the process apart: kernels as JSON come in, a line of JSON for each goes out."""
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # a file that prints while it is imported says nothing of the answers
    for kernel in map(Kernel.from_dict, json.load(sys.stdin)):
        error = ""
        try:
            load_kernel(kernel)
        except KernelError as broken:
            error = str(broken)
        except SystemExit as left:
            error = f"kernel {kernel.name}: importing it calls sys.exit({left.code!r})"
        answers.write(json.dumps({"kernel": kernel.name, "error": error}) + "\n")
        answers.flush()


if __name__ == "__main__":
    main()
