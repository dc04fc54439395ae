"""``attnbench hardware``: the same problems on several GPUs, for people and for programs."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from harness.cli.common import store_url
from harness.cli.results import write_text
from harness.errors import AttnbenchError, ConfigError, did_you_mean

if TYPE_CHECKING:
    from harness.analysis.hardware import Hardware, Prediction, Ratios
    from harness.model import Gpu


def hardware_command(
    filters: dict[str, Any],
    by: str,
    reference: str | None,
    target: str | None,
    prices: Sequence[str],
    format: str,
    out: Path | None,
    store: str | None,
) -> int:
    """Body of ``attnbench hardware``; returns the exit code."""
    from harness.analysis.hardware import figure_named, hardware, predict, ratios, read_hardware
    from harness.config.catalog import gpus
    from harness.store import open_store

    figure = figure_named(by)
    known = priced(gpus(), prices)
    with open_store(store_url(store), read_only=True) as opened:
        frame = read_hardware(opened, known, **filters)
    found = hardware(frame, known)
    if not found.gpus:
        raise AttnbenchError("no result that is ok matches: attnbench run measures some")
    over = None if reference is None else ratios(found, reference, figure.name)
    coming = None if target is None else predict(found, known, target)
    if over is None and found.cells[figure.name].isna().all():
        raise ConfigError(f"--by {by}: unknown for every GPU here; it needs {figure.needs}")
    if format == "csv":
        frame = found.cells if over is None else over.rows
        text = (frame if coming is None else coming.rows).to_csv(index=False)
    elif format == "json":
        text = json.dumps(as_dict(found, over, coming), indent=1, ensure_ascii=False) + "\n"
    else:
        from harness.cli.hardware_text import hardware_text

        text = hardware_text(found, figure, over, coming, format == "md")
    write_text(text, out)
    return 0


def priced(gpus: Mapping[str, Gpu], prices: Sequence[str]) -> dict[str, Gpu]:
    """The GPUs with the prices an hour that ``NAME=PRICE`` gives. Raises ConfigError."""
    out = dict(gpus)
    for text in prices:
        name, _, price = text.partition("=")
        if name not in out:
            raise ConfigError(f"--price {text}: no such GPU. {did_you_mean(name, out)}")
        try:
            value = float(price)
        except ValueError:
            value = math.nan
        if not (math.isfinite(value) and value > 0):
            raise ConfigError(f"--price {text}: NAME=PRICE, a price an hour above 0")
        out[name] = replace(out[name], price_per_hour=value)
    return out


def as_dict(found: Hardware, over: Ratios | None, coming: Prediction | None) -> dict[str, Any]:
    """Plain JSON values; NaN is null."""
    out: dict[str, Any] = {
        "gpus": list(found.gpus),
        "problems": found.problems,
        "shared": found.shared,
        "cells": _rows(found.cells),
        "boards": [_plain(asdict(board)) for board in found.boards],
        "warnings": [asdict(one) | {"text": one.text} for one in found.warnings],
    }
    if over is not None:
        out["ratios"] = {
            "reference": over.reference,
            "figure": over.figure,
            "rows": _rows(over.rows),
            "means": [_plain(asdict(mean)) for mean in over.means],
        }
    if coming is not None:
        out["prediction"] = {
            "gpu": coming.gpu,
            "factor": _value(coming.factor),
            "left_out": [_plain(asdict(one)) for one in coming.left_out],
            "rows": _rows(coming.rows),
        }
    return out


def _rows(frame: Any) -> list[dict[str, Any]]:
    return [_plain(row) for row in frame.to_dict("records")]


def _plain(row: Mapping[Any, Any]) -> dict[str, Any]:
    return {str(name): _value(value) for name, value in row.items()}


def _value(value: Any) -> Any:
    plain = value.item() if hasattr(value, "item") else value
    return None if isinstance(plain, float) and not math.isfinite(plain) else plain
