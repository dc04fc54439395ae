"""Reads libraries' signatures from their source, and says what differs from what is committed.

    python -m tests.signatures                             every library that can be downloaded
    python -m tests.signatures flash-attn --version 2.9.0  is another version called differently?
    python -m tests.signatures flash-attn-3 --from CLONE   a repository, at the version's commit
    python -m tests.signatures fla-core --write            keep what was read

Exit code 1 where a signature differs; then look at the adapter and run ``pytest
tests/kernels/libraries``.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from tests.signatures.libraries import LIBRARIES, Library
from tests.signatures.read import signatures


@contextmanager
def source_of(library: Library, given: Path | None) -> Iterator[Path]:
    """The wheel or sdist, downloaded by pip into a folder that goes away, or what was given."""
    if given is not None:
        yield given
        return
    if library.repository:
        sys.exit(f"{library.name} is read from a clone of {library.repository}: name it by --from")
    with tempfile.TemporaryDirectory() as folder:
        wanted = f"{library.name}=={library.version}"
        command = [sys.executable, "-m", "pip", "download", "--no-deps", "--no-build-isolation"]
        done = subprocess.run(
            [*command, "--pre", "-q", "-d", folder, wanted],
            env=os.environ | library.skip_build,
            capture_output=True,
            text=True,
            check=False,
        )
        found = list(Path(folder).iterdir())
        if done.returncode or len(found) != 1:
            sys.exit(f"pip can't download {wanted}:\n{done.stderr.strip()}")
        yield found[0]


def differences(old: dict[str, Any], new: dict[str, Any]) -> list[str]:
    """A line for each function whose parameters aren't what they were."""
    out = []
    for name, is_now in new["functions"].items():
        was = old.get("functions", {}).get(name)
        if was is None:
            out.append(f"{name}: not read before")
            continue
        before, after = ([_text(p) for p in f["parameters"]] for f in (was, is_now))
        gone = [text for text in before if text not in after]
        come = [text for text in after if text not in before]
        if gone or come:
            out.append(f"{name}: was {', '.join(gone) or '–'}; is {', '.join(come) or '–'}")
        elif before != after:
            out.append(f"{name}: the order of its parameters changed")
    return out


def _text(parameter: dict[str, str]) -> str:
    return "=".join(parameter[key] for key in ("name", "default") if key in parameter)


def written(found: dict[str, Any]) -> str:
    """JSON with a line for each parameter, so that a diff names it."""
    text = json.dumps(found, indent=1)
    return re.sub(r'\{\s+("name": [^{}]+?)\s+\}', _on_a_line, text) + "\n"


def _on_a_line(match: re.Match[str]) -> str:
    return "{" + re.sub(r"\s*\n\s*", " ", match[1]) + "}"


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.signatures", description=__doc__)
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.add_argument("library", nargs="*", help=", ".join(LIBRARIES))
    parser.add_argument("--from", dest="source", type=Path, help="wheel, sdist, folder or clone")
    parser.add_argument("--version", help="another version than the one committed")
    parser.add_argument("--write", action="store_true", help="write tests/signatures/*.json")
    args = parser.parse_args()
    if unknown := [name for name in args.library if name not in LIBRARIES]:
        parser.error(f"no library {', '.join(unknown)}; there are {', '.join(LIBRARIES)}")
    if (args.source or args.version) and len(args.library) != 1:
        parser.error("--from and --version are of one library: name it")
    names = args.library or [n for n, library in LIBRARIES.items() if not library.repository]
    changed = False
    for name in names:
        library = LIBRARIES[name]
        if args.version:
            library = replace(library, version=args.version)
        commit = library.version if library.repository else ""
        with source_of(library, args.source) as source:
            try:
                new = signatures(library, source, commit)
            except (FileNotFoundError, LookupError) as error:
                sys.exit(f"{name} {library.version}: {error}")
        old = json.loads(library.file.read_text()) if library.file.is_file() else {}
        found = differences(old, new)
        changed |= bool(found)
        print(f"{name} {library.version}: {len(new['functions'])} functions, ", end="")
        print("as committed" if not found else "DIFFERENT")
        for line in found:
            print(f"  {line}")
        if args.write:
            library.file.write_text(written(new))
    return int(changed and not args.write)


if __name__ == "__main__":
    sys.exit(main())
