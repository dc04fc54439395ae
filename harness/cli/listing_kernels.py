"""``attnbench list kernels``: what each claims, where it comes from, and whether it runs here."""

from __future__ import annotations

from dataclasses import fields
from functools import cache
from importlib import metadata
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.text import Text

from harness.cli.availability import why_not
from harness.cli.lines import wrapped_line
from harness.model import Kernel, Limits

DIRECTIONS = {"forward": "fwd", "backward": "bwd", "forward_backward": "fwd+bwd"}
OF_ITS_OWN = ("dtypes", "masks", "directions")
"""Claims that every kernel makes; the others stand where they differ from the default."""
NAMES = {
    "kv_dtypes": "KV cache in",
    "head_dim_min": "head dim from",
    "head_dim_max": "head dim up to",
    "head_dims": "head dims only",
    "head_dim_multiple": "head dim a multiple of",
    "seq_max": "length up to",
    "seq_k_multiple": "keys a multiple of",
    "caches": "cache",
    "page_size_multiple": "page size a multiple of",
    "uneven_lengths": "uneven lengths",
    "alibi": "ALiBi",
    "gqa": "GQA",
    "head_dim_v_differs": "unequal head dims",
    "cross": "cross-attention",
    "compute_capability_min": "compute capability from",
    "compute_capability_max": "compute capability up to",
}


def kernel_rows(folders: list[Path]) -> list[dict[str, Any]]:
    """A row a kernel, by operator and name; those that can't be read last.

    Imports none of attnbench's own, which tests load; those of ``folders`` in a process apart.
    """
    from harness.config.catalog import gpus, kernels
    from harness.hardware import local_gpus
    from harness.measure.importing import import_errors
    from harness.measure.loader import source_hash
    from harness.measure.source import source_error
    from harness.model.gpu import CPU

    known = gpus()
    devices = [*local_gpus(known), known[CPU]]
    found = kernels(folders)
    rows: list[dict[str, Any]] = []
    errors = {n: e for n, k in found.items() if k.folder and (e := source_error(k)) is not None}
    theirs = [
        k for n, k in found.items() if k.folder and n not in errors and not k.missing_packages
    ]
    errors |= import_errors(theirs)
    for kernel in sorted(found.values(), key=lambda k: (k.operator, k.name)):
        error = errors.get(kernel.name)
        refusal = error or why_not(kernel, devices)
        path = _path(kernel)
        rows.append(
            {
                "kernel": kernel.name,
                "operator": kernel.operator,
                "claims": {kind: _differing(limits) for kind, limits in kernel.limits},
                "source": str(path) if kernel.folder else kernel.file,
                "source_sha256": source_hash(path) if path.is_file() else None,
                "library": kernel.library,
                "library_version": _version(kernel.library),
                "packages": list(kernel.packages),
                "extra": kernel.extra,
                "programs": list(kernel.programs),
                "here": refusal is None,
                "why_not": refusal,
                "error": error,
                "description": kernel.description,
            }
        )
    for name, error in found.errors.items():
        broken = {"kernel": name, "operator": "", "claims": {}, "here": False}
        rows.append(broken | {"why_not": error, "error": error, "description": ""})
    return rows


def print_kernels(rows: list[dict[str, Any]], console: Console) -> None:
    """An operator's heading, then of each kernel: facts in a line, its claims, its source."""
    names = max((len(row["kernel"]) for row in rows), default=0)
    versions = max((len(_version_text(row)) for row in rows), default=0)
    operator = None
    lines: list[Text] = []
    for row in rows:
        if row["operator"] != operator:
            operator = row["operator"]
            lines.append(wrapped_line(operator or "can't be read", console.width, style="bold"))
        state, style = "here", "green"
        if row["error"]:
            state, style = "BROKEN", "red"
        elif not row["here"]:
            state, style = "not here", "yellow"
        facts = f"  {row['kernel']:{names}}  {_version_text(row):{versions}}  "
        lines.append(Text(facts).append(state, style))
        for text, dim in _details(row):
            lines.append(wrapped_line(text, console.width, 6, "dim" if dim else ""))
    console.print(Text("\n").join(lines), soft_wrap=True)


def _details(row: dict[str, Any]) -> list[tuple[str, bool]]:
    """Lines below a kernel's facts, and whether they stand back."""
    lines = [(row["why_not"], False)] if row["why_not"] else []
    if row["description"]:
        lines.append((row["description"], False))
    if row.get("extra"):
        lines.append((f"extra: {row['extra']} (brings {', '.join(row['packages'])})", True))
    said: dict[str, list[str]] = {}
    for kind, claim in row["claims"].items():
        said.setdefault(claims_text(claim), []).append(kind)
    lines += [(f"{', '.join(kinds)}: {text}", True) for text, kinds in said.items()]
    if row.get("source_sha256"):
        lines.append((f"source: {row['source']} {row['source_sha256'][:12]}", True))
    return lines


def _version_text(row: dict[str, Any]) -> str:
    """``torch 2.13.0``; "own code" where the kernel names no library."""
    if not row.get("library"):
        return "own code" if row["claims"] else ""
    return f"{row['library']} {row['library_version'] or '–'}"


def claims_text(claims: dict[str, Any]) -> str:
    """``fp32 bf16; fwd bwd; causal window; GQA no; head dim up to 256``."""
    parts = [
        " ".join(claims["dtypes"]),
        " ".join(DIRECTIONS[d] for d in claims["directions"]),
        " ".join(claims["masks"]),
    ]
    for key, value in claims.items():
        if key in OF_ITS_OWN:
            continue
        name = NAMES.get(key, key)
        if isinstance(value, bool):
            parts.append(name if value else f"no {name}")
        elif isinstance(value, list):
            parts.append(f"{name} {' '.join(str(v) or 'none' for v in value)}")
        else:
            parts.append(f"{name} {value:g}")
    return "; ".join(parts)


def _differing(limits: Limits) -> dict[str, Any]:
    """Dtypes, masks and directions, and what else differs from a limit's default."""
    out: dict[str, Any] = {}
    for f in fields(limits):
        value = getattr(limits, f.name)
        if f.name in OF_ITS_OWN or value != f.default:
            out[f.name] = list(value) if isinstance(value, tuple) else value
    return out


def _path(kernel: Kernel) -> Path:
    from harness.config.paths import kernels_dir

    return (Path(kernel.folder) if kernel.folder else kernels_dir()) / kernel.file


@cache
def _version(library: str) -> str:
    """Version of an installed distribution, "" where it isn't installed or none is named."""
    if not library:
        return ""
    try:
        return metadata.version(library)
    except metadata.PackageNotFoundError:
        return ""
