"""NVIDIA nvbench's ``--json`` and ``--jsonbin`` files.

A state is a benchmark with its axis values on a device; its summaries carry tags such as
``nv/cold/time/gpu/mean``, numbers written as text. With ``--jsonbin`` the samples lie in files of
little-endian float32 beside the document, named by the summary ``nv/json/bin:nv/cold/sample_times``
(GPU seconds). The document doesn't say when it was made. Read here from nvbench/json_printer.cu and
nvbench/detail/measure_cold.cu (NVIDIA/nvbench, August 2026).
"""

from __future__ import annotations

import struct
from collections.abc import Iterator

from harness.importers.source import Node, Source, number_or_text, params_from
from harness.model import External

NAME = "nvbench"

_MEASURES = {
    "nv/cold/time/gpu": ("gpu_time", "s", False),
    "nv/cold/time/cpu": ("cpu_time", "s", False),
    "nv/batch/time/gpu": ("gpu_time_batch", "s", False),
    "nv/cpu_only/time/cpu": ("cpu_time", "s", False),
    "nv/cold/bw/global/bytes_per_second": ("global_memory_bandwidth", "B/s", True),
    "nv/cold/bw/item_rate": ("item_rate", "1/s", True),
}
"""Tag (of a time: without its statistic) → measure, unit, whether higher is better."""
_SAMPLES = "nv/json/bin:nv/cold/sample_times"


def recognises(source: Source) -> bool:
    """A document that names nvbench's version, or has states with axis_values."""
    text = source.text
    return '"benchmarks"' in text and '"states"' in text and '"axis_values"' in text


def read(source: Source) -> Iterator[External]:
    """Results for GPU and CPU time, bandwidth and item rate of each state that ran."""
    devices = {d["id"].value: d["name"].text() for d in source.json["devices"].each()}
    when = source.when()
    for benchmark in source.json["benchmarks"].each():
        for state in benchmark["states"].each():
            if state.dict().get("is_skipped"):
                continue
            device = state["device"]
            if device.value is not None and device.value not in devices:
                device.fail(f"is {device.value!r}, which is none of the document's devices")
            named = devices.get(device.value, "")
            yield from _state(source, benchmark["name"].text(), state, named, when)


def _state(
    source: Source, benchmark: str, state: Node, device: str, when: str
) -> Iterator[External]:
    axes = state.get("axis_values")
    params = {
        axis["name"].text(): number_or_text(str(axis["value"].value))
        for axis in (axes.each() if axes else ())
    }
    summaries = {s["tag"].text(): s for s in state["summaries"].each()}
    figures = {tag: found for tag, s in summaries.items() if (found := _data(s, "value"))}
    plain = {tag: node.value for tag, node in figures.items()}
    for tag, (measure, unit, higher) in _MEASURES.items():
        values: tuple[float, ...] = ()
        statistic = "sample"
        if tag == "nv/cold/time/gpu":
            values = _samples(source, summaries)
        if not values:
            for statistic in ("median", "mean", ""):
                if found := figures.get(f"{tag}/{statistic}".rstrip("/")):
                    values = (found.number(),)
                    break
        if values:
            yield source.result(
                state.where,
                state,
                benchmark=benchmark,
                params=params_from(params),
                measure=measure,
                unit=unit,
                values=values,
                statistic=statistic or "mean",
                higher_is_better=higher,
                device=source.device(device),
                measured_at=when,
                source=NAME,
                metadata={"summaries": plain},
            )


def _data(summary: Node, name: str) -> Node | None:
    data = summary.get("data")
    for entry in data.each() if data else ():
        if entry["name"].text() == name:
            return entry["value"]
    return None


def _samples(source: Source, summaries: dict[str, Node]) -> tuple[float, ...]:
    """The samples of ``--jsonbin``; none where the document speaks of no such file."""
    summary = summaries.get(_SAMPLES)
    name = _data(summary, "filename") if summary else None
    if name is None:
        return ()
    assert summary is not None
    # Older versions write the path from where the benchmark ran, newer ones from the document.
    written = name.text()
    folder = source.path.parent
    for path in (folder / written, folder / "/".join(written.split("/")[-2:])):
        if path.is_file():
            break
    else:
        name.fail(f"is {written!r}, and there is no such file beside {source.path.name}")
    content = path.read_bytes()
    size = _data(summary, "size")
    if len(content) % 4 or (size and len(content) != 4 * size.number()):
        name.fail(f"is {written!r}, which holds {len(content)} bytes and not its float32 samples")
    return struct.unpack(f"<{len(content) // 4}f", content)
