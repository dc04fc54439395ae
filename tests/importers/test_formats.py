"""Every format: what it says is read exactly, and what is wrong is named with its file and line."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from harness.errors import ImportFailed
from harness.importers import FORMATS, Given, detect, read_file
from harness.importers.source import Source
from harness.model import External

FILES = Path(__file__).parent / "files"
GIVEN = Given(measured_at="2026-02-03", device="NVIDIA H100")
EXAMPLES = {
    "pytest-benchmark": "pytest_benchmark.json",
    "asv": "asv/box/d810a9be-existing-py.json",
    "google-benchmark": "google_benchmark.json",
    "nvbench": "nvbench.json",
    "flashinfer-bench": "flashinfer_bench.jsonl",
    "perf-report": "fused-attention-fwd.csv",
    "tritonbench": "op_flash_attention_ab12cd_x.csv",
    "csv": "plain.csv",
}
"""pytest-benchmark, asv and Google Benchmark wrote theirs; the rest follow those tools' code."""


def said(result: External) -> tuple[object, ...]:
    params = " ".join(f"{k}={v}" for k, v in result.params)
    return result.benchmark, params, result.measure, result.unit, len(result.values), result.value


EXPECTED = {
    "pytest-benchmark": [
        ("test_demo.py::test_sum", "n=10", "time", "s", 8, 2.2390004232875073e-07),
        ("test_demo.py::test_sum", "n=100", "time", "s", 8, 9.803500688576606e-07),
    ],
    "asv": [
        ("b.Time.time_sum", "kind=a n=10", "time", "seconds", 7, 1.5222400179482065e-05),
        ("b.Time.time_sum", "kind=b n=10", "time", "seconds", 7, 1.3966199912829324e-05),
        ("b.Time.time_sum", "kind=a n=100", "time", "seconds", 7, 0.00017431900014344137),
        ("b.Time.time_sum", "kind=b n=100", "time", "seconds", 7, 0.0002001553999434691),
        ("b.time_plain", "", "time", "seconds", 7, 1.8762804561462223e-05),
        ("b.Time.peakmem_list", "kind=a n=10", "peakmemory", "bytes", 1, 24698880.0),
        ("b.Time.peakmem_list", "kind=b n=10", "peakmemory", "bytes", 1, 24702976.0),
        ("b.Time.peakmem_list", "kind=a n=100", "peakmemory", "bytes", 1, 24702976.0),
        ("b.track_ratio", "", "track", "ratio", 1, 3.5),
    ],
    "google-benchmark": [
        ("sum_list", "arg0=8", "real_time", "us", 3, 55.26102183501392),
        ("sum_list", "arg0=8", "cpu_time", "us", 3, 20.899291788856306),
        ("two", "arg0=1 arg1=2", "real_time", "ns", 3, 1983.4420070356953),
        ("two", "arg0=1 arg1=2", "cpu_time", "ns", 3, 821.0330164217803),
    ],
    "nvbench": [
        ("copy", "Elements=1048576 T=F32", "gpu_time", "s", 4, 1.0199999906035373e-05),
        ("copy", "Elements=1048576 T=F32", "cpu_time", "s", 1, 1.9e-05),
        ("copy", "Elements=1048576 T=F32", "global_memory_bandwidth", "B/s", 1, 8.2e11),
        ("copy", "Elements=16777216 T=F32", "gpu_time", "s", 1, 1.5e-4),
    ],
    "flashinfer-bench": [
        (
            "gqa_decode_h32_kv8_d128",
            "axis.batch_size=16 axis.num_pages=400 solution=mine_v1 workload=w-1",
            "latency",
            "ms",
            1,
            0.031,
        )
    ],
    "perf-report": [
        ("fused-attention-fwd", "N_CTX=1024 line=Triton [FP16]", "throughput", "TFLOPS", 1, 301.25),
        ("fused-attention-fwd", "N_CTX=1024 line=Flash-2", "throughput", "TFLOPS", 1, 288.5),
        ("fused-attention-fwd", "N_CTX=2048 line=Triton [FP16]", "throughput", "TFLOPS", 1, 402.0),
    ],
    "tritonbench": [
        (
            "flash_attention",
            f"(Batch, Heads, SeqLen, Dhead)=(4, 48, {size}, 64) backend={backend}",
            metric,
            unit,
            1,
            value,
        )
        for size, backend, metric, unit, value in (
            (512, "aten", "latency", "ms", 0.0821),
            (512, "triton", "latency", "ms", 0.0412),
            (512, "triton", "tflops", "TFLOP/s", 120.5),
            (1024, "aten", "latency", "ms", 0.31),
        )
    ],
    "csv": [
        ("decode", "dtype=bf16 seq=4096", "latency", "ms", 3, 0.42),
        ("decode", "seq=2048", "latency", "ms", 1, 0.21),
    ],
}


def test_every_format_has_an_example() -> None:
    assert set(EXAMPLES) == set(EXPECTED) == set(FORMATS)


@pytest.mark.parametrize("name", EXAMPLES)
def test_an_example_is_recognised_and_read_exactly(name: str) -> None:
    path = FILES / EXAMPLES[name]
    found = detect(Source(path))
    assert found is FORMATS[name]
    results = read_file(path, given=GIVEN)
    assert [said(result) for result in results] == EXPECTED[name]
    for result in results:
        assert (result.source, result.operator, result.checked) == (name, "external", False)
        assert result.origin.startswith(path.name)
        json.dumps(result.metadata, allow_nan=False)
    assert len({result.key for result in results}) == len(results)


@pytest.mark.parametrize("name", EXAMPLES)
def test_where_the_file_lies_is_no_part_of_what_it_says(name: str, tmp_path: Path) -> None:
    shutil.copytree(FILES, tmp_path / "else where")
    here = read_file(FILES / EXAMPLES[name], given=GIVEN)
    there = read_file(tmp_path / "else where" / EXAMPLES[name], given=GIVEN)
    assert [(r.key, r.content_key) for r in here] == [(r.key, r.content_key) for r in there]


def test_what_tools_say_of_time_version_and_device_is_kept() -> None:
    (first, _) = read_file(FILES / EXAMPLES["pytest-benchmark"])
    assert first.measured_at == "2026-11-25T07:37:45.074851+00:00"
    assert (first.version, first.device) == ("0c1f8be2-dirty", "AMD EPYC")
    assert first.metadata["extra_info"] == {"dtype": "f"}
    trace = read_file(FILES / EXAMPLES["flashinfer-bench"])[0]
    assert trace.measured_at == "2026-03-04T05:06:07.000000+00:00"
    assert trace.metadata["correctness"]["max_absolute_error"] == "NaN"
    assert {r.device for r in read_file(FILES / EXAMPLES["asv"])} == {"AMD EPYC"}
    assert read_file(FILES / EXAMPLES["asv"])[0].version.startswith("d810a9be2645")


def test_aggregates_alone_give_their_median_and_rates() -> None:
    results = read_file(FILES / "google_benchmark_aggregates.json")
    assert [(r.measure, r.statistic, r.higher_is_better) for r in results] == [
        ("real_time", "median", False),
        ("cpu_time", "median", False),
        ("bytes_per_second", "median", True),
    ]


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("sum/8/n:3/real_time", ("sum", {"arg0": 8, "n": 3})),
        ("Fixture/method/1/2/threads:4", ("Fixture/method", {"arg0": 1, "arg1": 2, "threads": 4})),
        ("copy<std::byte>/iterations:5/repeats:2", ("copy<std::byte>", {})),
    ],
)
def test_google_benchmarks_names_are_taken_apart(name: str, expected: object) -> None:
    from harness.importers.google_benchmark import _arguments

    assert _arguments(name) == expected


def wrong(tmp_path: Path, name: str, text: str, format: str = "", given: Given = GIVEN) -> str:
    """The message with which a file of this content is refused."""
    path = tmp_path / name
    path.write_text(text)
    with pytest.raises(ImportFailed) as caught:
        read_file(path, format, given)
    message = str(caught.value)
    assert str(path) in message
    assert "\n" not in message
    return message


def edited(name: str, old: str, new: str) -> str:
    text = (FILES / EXAMPLES[name]).read_text()
    assert old in text
    return text.replace(old, new, 1)


@pytest.mark.parametrize(
    ("name", "old", "new", "parts"),
    [
        ("pytest-benchmark", '"median": 2.2', '"median": "x', ("not JSON", "line 48")),
        ("pytest-benchmark", '"stats"', '"statz"', ("benchmarks[0] has no 'stats'", "line 2")),
        ("pytest-benchmark", '"datetime": "2026', '"datetime": "20x6', ("no ISO 8601",)),
        ("google-benchmark", '"real_time": 20', '"real_time": "a20', ("not JSON", "line")),
        ("google-benchmark", '"time_unit": "us"', '"time_unit": 3', ("should be text, not 3",)),
        ("nvbench", '"id": 0', '"idd": 0', ("devices[0] has no 'id'", "line")),
        ("nvbench", '"device": 0', '"device": 7', ("none of the document's devices",)),
        ("flashinfer-bench", '"latency_ms": 0.031', '"latency_ms": null', ("line 1", "number")),
        ("flashinfer-bench", '"axes"', '"axis"', ("line 1", "no 'axes'")),
        ("perf-report", "301.25", "fast", ("line 2", "'fast' is not a number")),
        ("perf-report", "402.0,", "402.0,1,2", ("line 3", "4 cells under 3 columns")),
        ("tritonbench", "0.0821", "abc", ("line 2", "aten-latency='abc'")),
        ("csv", "0.43", "inf", ("line 3", "finite")),
        ("csv", "param.seq", "seq", ("line 1", "param.seq")),
        ("csv", "NVIDIA H100,2026-01-31T12", "NVIDIA H100,31.1.", ("line 2", "ISO 8601")),
        ("csv", ",false,", ",maybe,", ("line 2", "neither true, false")),
    ],
)
def test_what_is_wrong_is_named_with_its_place(
    tmp_path: Path, name: str, old: str, new: str, parts: tuple[str, ...]
) -> None:
    message = wrong(tmp_path, Path(EXAMPLES[name]).name, edited(name, old, new), name)
    for part in parts:
        assert part in message, message


def test_the_line_is_that_of_the_object_with_the_mistake(tmp_path: Path) -> None:
    text = edited("google-benchmark", '"cpu_time": 20.899', '"cpu_tim": 20.899')
    message = wrong(tmp_path, "g.json", text)
    lines = text.splitlines()
    line = int(message.split("line ")[1].split(":")[0])
    mistake = next(i for i, t in enumerate(lines, 1) if '"cpu_tim"' in t)
    start = max(i for i, t in enumerate(lines, 1) if t.strip() == "{" and i < mistake)
    assert line == start, message
    assert "benchmarks[1] has no 'cpu_time'" in message


def test_what_a_file_doesnt_say_is_asked_for(tmp_path: Path) -> None:
    text = (FILES / EXAMPLES["perf-report"]).read_text()
    assert "--device" in wrong(tmp_path, "p.csv", text, given=Given(measured_at="2026-01-01"))
    assert "--measured-at" in wrong(tmp_path, "p.csv", text, given=Given(device="H100"))
    lone = (FILES / EXAMPLES["asv"]).read_text()
    assert "benchmarks.json" in wrong(tmp_path, "asv.json", lone)


def test_samples_of_nvbench_must_lie_beside_the_document(tmp_path: Path) -> None:
    text = (FILES / EXAMPLES["nvbench"]).read_text()
    assert "no such file" in wrong(tmp_path, "n.json", text)
    (tmp_path / "nvbench.json-bin").mkdir()
    (tmp_path / "nvbench.json-bin" / "0.bin").write_bytes(b"\0" * 12)
    assert "holds 12 bytes" in wrong(tmp_path, "n.json", text)


@pytest.mark.parametrize(
    ("text", "part"),
    [
        ("", "no known format"),
        ("hello, world\n1,2\n", "no known format"),
        ('{"a": 1}', "no known format"),
        ("[" * 100_000, "no known format"),
    ],
)
def test_what_is_no_result_is_refused_naming_the_formats(
    tmp_path: Path, text: str, part: str
) -> None:
    message = wrong(tmp_path, "x", text)
    assert part in message
    assert all(name in message for name in FORMATS)


@pytest.mark.parametrize("text", ["[" * 100_000, "{", '{"machine_info": [], "benchmarks": 3}'])
def test_nonsense_in_a_named_format_is_refused(tmp_path: Path, text: str) -> None:
    for name in ("pytest-benchmark", "google-benchmark", "nvbench", "asv", "flashinfer-bench"):
        wrong(tmp_path, "x", text, name)


def test_files_that_cant_be_read_and_formats_that_arent_are_named(tmp_path: Path) -> None:
    with pytest.raises(ImportFailed, match="no file"):
        read_file(tmp_path / "none.json")
    with pytest.raises(ImportFailed, match="folder"):
        read_file(tmp_path)
    (tmp_path / "b").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ImportFailed, match="UTF-8"):
        read_file(tmp_path / "b")
    with pytest.raises(ImportFailed, match="Did you mean nvbench"):
        read_file(FILES / "nvbench.json", "nvbnch")
    empty = '{"machine_info": {"machine": "x"}, "datetime": "2026-01-01", "benchmarks": []}'
    assert "no pytest-benchmark result" in wrong(tmp_path, "e.json", empty)
