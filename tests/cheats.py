"""What each misbehaviour of tests/zoo must be called, on a CPU and on a GPU alike."""

from __future__ import annotations

from harness.model import Status

STATUSES = {
    Status.INCORRECT: [
        *("wrong_numbers", "wrong_mask", "nan_in_one_place", "infinite", "wrong_dtype"),
        *("wrong_shape", "returns_none", "writes_nothing", "last_tile_skipped", "only_small"),
        *("cached_output", "only_first_inputs", "wrong_later", "right_on_warm_up", "lazy_tensor"),
        "wrong_and_sloppy",
    ],
    Status.INVALID: [
        *("changes_inputs", "moves_inputs", "changes_threads", "changes_precision"),
        *("changes_default_dtype", "changes_deterministic_mode", "changes_gradient_mode"),
        *("flushes_denormals", "changes_environment", "changes_affinity", "changes_niceness"),
        *("replaces_timer", "replaces_cuda_event", "replaces_elapsed_time"),
        *("replaces_the_harness_clock", "replaces_a_competitor", "leaves_thread"),
        *("leaves_process", "forks", "works_in_a_thread", "works_in_a_raw_thread"),
        *("works_on_a_side_stream", "remembers_answers"),
    ],
    Status.ERROR: [
        *("raises", "raises_what_no_store_keeps", "raises_without_words", "recurses", "exits"),
        "sticky_cuda_error",
    ],
    Status.CRASHED: ["exits_hard", "aborts", "segfaults", "killed_by_the_system"],
    Status.TIMEOUT: ["hangs", "hangs_in_c"],
    Status.OUT_OF_MEMORY: ["allocates"],
    Status.OK: ["prints_megabytes"],
}
EXPECTED = {name: status for status, names in STATUSES.items() for name in names}
NEEDS_CUDA = {"works_on_a_side_stream"}

REASONS = {
    "wrong_numbers": "out: ",
    "wrong_dtype": "float64",
    "wrong_shape": "(1, 4, 63, 32)",
    "returns_none": "NoneType",
    "infinite": "infinite",
    "lazy_tensor": "a subclass",
    "raises": "tile size 7 is not supported",
    "exits": "sys.exit(3)",
    "exits_hard": "exit code 0",
    "sticky_cuda_error": "illegal memory access",
    "aborts": "SIGABRT",
    "killed_by_the_system": "SIGKILL",
    "segfaults": "SIGSEGV",
    "changes_inputs": "input k",
    "moves_inputs": "input k",
    "changes_threads": "→ 1",
    "changes_precision": "highest → medium",
    "changes_default_dtype": "torch.float32 → torch.float64",
    "changes_deterministic_mode": "deterministic algorithms: False → True",
    "changes_environment": "OMP_NUM_THREADS",
    "replaces_timer": "time.perf_counter",
    "replaces_cuda_event": "torch.cuda.Event was replaced",
    "replaces_elapsed_time": "elapsed_time was replaced",
    "replaces_the_harness_clock": "harness.measure.device_cpu.host_ns was replaced",
    "replaces_a_competitor": "scaled_dot_product_attention was replaced",
    "leaves_thread": "threads",
    "leaves_process": "processes: 1 left running",
    "forks": "processes: 1 left running",
    "works_in_a_thread": "after the call had returned",
    "works_in_a_raw_thread": "after the call had returned",
    "remembers_answers": "keeps the answers",
}
"""What the reason must say, where the words matter."""
