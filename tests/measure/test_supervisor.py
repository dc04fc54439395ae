"""Real forked processes: records are complete, launches independent, broken files named."""

from __future__ import annotations

import dataclasses
import json
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from harness.config.catalog import kernels
from harness.measure import supervisor
from harness.measure.__main__ import main
from harness.measure.request import Request
from harness.measure.revision import kernel_revision
from harness.measure.supervisor import Supervisor
from harness.model import Gpu, Job, Kernel, Problem, Record, Status, Timing

CPU = Gpu("cpu", kind="cpu", threads=2)
QUICK = Timing(
    warmup_s=0.01, min_time_s=0.0, min_samples=6, max_samples=8, budget_s=1.0, timeout_s=60.0
)
PROBLEM = Problem(4, 2, 64, 64, 32, 32, "fp32", causal=True)

Measure = Callable[..., Record]


@pytest.fixture(scope="module")
def measure(zoo: Path) -> Iterator[Measure]:
    """Measures a kernel of the zoo by name, all with one supervisor."""
    found = kernels([zoo])
    own = Supervisor(CPU)

    def one(
        name: str, problem: Problem = PROBLEM, timing: Timing = QUICK, launch: int = 0
    ) -> Record:
        kernel = found[name]
        assert isinstance(kernel, Kernel)
        job = Job(kernel, problem, CPU, timing)
        request = Request("test", job, kernel_revision(kernel), launch=launch)
        return own.measure(request)

    yield one
    own.close()


@pytest.mark.skipif(shutil.which("g++") is None, reason="no C++ compiler: nothing is compiled")
def test_a_cold_compilation_is_no_tampering(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """torch.compile's first run in a process must not look like threads left by the kernel."""
    monkeypatch.setenv("TORCHINDUCTOR_CACHE_DIR", str(tmp_path))
    kernel, patient = kernels()["flex"], dataclasses.replace(QUICK, timeout_s=300.0)
    assert isinstance(kernel, Kernel)
    supervisor = Supervisor(CPU)
    try:
        record, again = (
            supervisor.measure(
                Request(
                    "test", Job(kernel, PROBLEM, CPU, patient), kernel_revision(kernel), launch=n
                )
            )
            for n in (0, 1)
        )
    finally:
        supervisor.close()
    assert record.status is Status.OK, record.reason + record.log
    assert list(tmp_path.rglob("*.so"))  # it was compiled here, and by nobody before
    assert again.status is Status.OK, again.reason + again.log
    said = [dict(one.conditions).get("compile_cache") for one in (record, again)]
    assert said == ["cold", "warm"]  # the cache lives across launches


def test_unsupported_is_a_skip_with_the_kernels_own_words(measure: Measure) -> None:
    record = measure("unsupported")
    assert (record.status, record.reason) == (Status.SKIPPED, "needs a blue moon")


@pytest.mark.parametrize(
    ("name", "words"),
    [("broken_import", "does_not_exist_anywhere"), ("no_build", "has no build")],
)
def test_a_broken_file_is_an_error_that_names_it(name: str, words: str, measure: Measure) -> None:
    record = measure(name)
    assert record.status is Status.ERROR
    assert words in record.reason
    assert f"{name}.py" in record.reason


def test_a_file_edited_after_the_sweep_began_is_refused(zoo: Path) -> None:
    kernel = kernels([zoo])["honest"]
    assert isinstance(kernel, Kernel)
    old = dataclasses.replace(kernel_revision(kernel), source_hash="0" * 64)
    supervisor = Supervisor(CPU)
    try:
        record = supervisor.measure(Request("test", Job(kernel, PROBLEM, CPU, QUICK), old))
    finally:
        supervisor.close()
    assert record.status is Status.ERROR
    assert "if the file was edited" in record.reason


@pytest.mark.parametrize("direction", ["forward", "backward", "forward_backward"])
@pytest.mark.parametrize("mode", ["cold", "hot"])
def test_an_ok_record_is_complete(direction: str, mode: str, measure: Measure) -> None:
    problem = dataclasses.replace(PROBLEM, direction=direction)
    record = measure("honest", problem=problem, timing=dataclasses.replace(QUICK, mode=mode))
    assert record.status is Status.OK, record.reason + record.log
    assert 6 <= len(record.samples_ms) <= 8
    assert record.timing.mode == mode
    assert record.accuracy is not None
    assert 0 < record.accuracy.max_error < 1e-4
    assert record.memory is not None
    assert record.setup_ms is not None
    assert record.first_call_ms is not None
    assert record.flops
    assert record.min_bytes
    assert record.device is not None
    assert record.device.units == 2
    assert record.revision is not None
    assert record.started_at
    assert record.duration_s > 0


def test_energy_is_measured_or_said_to_be_absent(measure: Measure) -> None:
    timing = dataclasses.replace(QUICK, energy=True)
    record = measure("honest", timing=timing)
    assert record.status is Status.OK, record.reason + record.log
    said = dict(record.conditions)
    if "energy_j" in said:  # this machine has counters that may be read
        assert float(said["energy_j"]) > 0
        assert float(said["energy_calls"]) >= 1
    else:
        assert str(said["energy"]).startswith("not measured: ")
    assert "energy" not in dict(measure("honest").conditions)


def test_each_launch_has_fresh_processes(zoo: Path, tmp_path: Path) -> None:
    kernel = kernels([zoo])["honest"]
    assert isinstance(kernel, Kernel)
    spy = tmp_path / "spy.py"
    spy.write_text(
        "import os\n" + (zoo / "honest.py").read_text() + "\nprint('server', os.getppid())\n"
    )
    kernel = dataclasses.replace(kernel, name="spy", file="spy.py", folder=str(tmp_path))
    supervisor = Supervisor(CPU)
    try:
        logs = [
            supervisor.measure(
                Request("test", Job(kernel, PROBLEM, CPU, QUICK), kernel_revision(kernel), launch=n)
            ).log
            for n in (0, 0, 1)
        ]
    finally:
        supervisor.close()
    assert logs[0] == logs[1] != logs[2]


def test_the_bare_worker_measures_a_file_and_goes_on_where_it_was_stopped(
    zoo: Path, tmp_path: Path
) -> None:
    kernel = kernels([zoo])["honest"]
    assert isinstance(kernel, Kernel)
    job = Job(kernel, PROBLEM, CPU, QUICK)
    asked = [Request("test", job, kernel_revision(kernel), launch=n) for n in range(2)]
    requests, out = tmp_path / "requests.jsonl", tmp_path / "records.jsonl"
    requests.write_text("".join(json.dumps(r.to_dict()) + "\n" for r in asked))
    assert main([str(requests), "--out", str(out)]) == 0
    lines = out.read_text().splitlines(keepends=True)
    out.write_text(lines[0] + lines[1][:40])  # stopped in the middle of the second record
    assert main([str(requests), "--out", str(out)]) == 0
    records = [Record.from_dict(json.loads(line)) for line in out.read_text().splitlines()]
    assert [(r.launch, r.status) for r in records] == [(0, Status.OK), (1, Status.OK)]
    assert out.read_text().startswith(lines[0])


def test_the_bare_worker_s_exit_code_says_that_jobs_failed(zoo: Path, tmp_path: Path) -> None:
    kernel = kernels([zoo])["raises"]
    assert isinstance(kernel, Kernel)
    asked = Request("test", Job(kernel, PROBLEM, CPU, QUICK), kernel_revision(kernel))
    requests, out = tmp_path / "requests.jsonl", tmp_path / "records.jsonl"
    requests.write_text(json.dumps(asked.to_dict()) + "\n")
    assert main([str(requests), "--out", str(out)]) == 1
    assert main([str(requests), "--out", str(out)]) == 1  # nothing left to do, and still failed
    assert main([str(requests), "--out", str(tmp_path / "nowhere" / "out")]) == 2


def test_an_oracle_without_room_costs_its_own_job() -> None:
    kernel = kernels()["eager"]
    assert isinstance(kernel, Kernel)
    supervisor = Supervisor(CPU)
    try:
        large = dataclasses.replace(PROBLEM, seq_q=4_000_000_000, seq_k=4_000_000_000)
        records = [
            supervisor.measure(Request("test", Job(kernel, p, CPU, QUICK), kernel_revision(kernel)))
            for p in (large, PROBLEM)
        ]
    finally:
        supervisor.close()
    assert [r.status for r in records] == [Status.OUT_OF_MEMORY, Status.OK], records[0].reason
    assert "oracle" in records[0].reason


def test_a_request_file_that_makes_no_sense_is_named(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    requests = tmp_path / "requests.jsonl"
    requests.write_text("{}\n")
    assert main([str(requests), "--out", str(tmp_path / "out")]) == 2
    assert "line 1 is not a request" in capsys.readouterr().err


def test_a_child_that_the_system_chose_when_memory_ran_out(
    measure: Measure, monkeypatch: pytest.MonkeyPatch
) -> None:
    counts = iter([7, 8])
    monkeypatch.setattr(supervisor, "out_of_memory_kills", lambda: next(counts))
    record = measure("killed_by_the_system")
    assert record.status is Status.OUT_OF_MEMORY
    assert "memory ran out" in record.reason
    monkeypatch.undo()
    assert measure("killed_by_the_system").status is Status.CRASHED
    assert supervisor.out_of_memory_kills() >= 0
