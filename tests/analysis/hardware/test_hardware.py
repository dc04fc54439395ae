"""GPUs compared: planted shares of the roofline, boards, prices and software come out again."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest

from harness.analysis.hardware import hardware, predict, ratios, read_hardware
from harness.analysis.hardware.prediction import LeftOut, band
from harness.errors import ConfigError
from harness.store import Store
from tests.analysis.hardware.several import GPUS, SIZES, bound_ms, fill, records
from tests.store.make import ENVIRONMENT, SWEEP

SHARES = {
    ("h100", "flash"): 0.6,
    ("h100", "slow"): 0.2,
    ("a100_80", "flash"): 0.5,
    ("a100_80", "other"): 0.7,
    ("l40s", "flash"): 0.4,
}


def found_in(store: Store, **filters: object):  # type: ignore[no-untyped-def]
    return hardware(read_hardware(store, GPUS, **filters), GPUS)


def test_the_matrix_has_the_fastest_kernel_of_each_gpu_and_its_share_of_the_roofline(
    new_store: Store,
) -> None:
    fill(new_store, records(SHARES))
    found = found_in(new_store)
    assert (found.problems, found.shared) == (4, 4)
    assert set(found.gpus) == {"h100", "a100_80", "l40s"}
    best = found.cells.set_index(["gpu", "problem"])
    assert len(best) == 12
    for (gpu, _), row in best.iterrows():
        assert row["kernel"] == {"h100": "flash", "a100_80": "other", "l40s": "flash"}[gpu]
        share = {"h100": 0.6, "a100_80": 0.7, "l40s": 0.4}[gpu]
        assert row["of_roofline"] == pytest.approx(share)
        limited = row["of_peak"] if row["limit"] == "compute" else row["of_bandwidth"]
        assert limited == pytest.approx(share), "at the roof, the limit's own share is the roof's"
        assert row["tflops_per_board_w"] == pytest.approx(row["tflops"] / GPUS[gpu].power_w)
    assert best["pflop_per_money"].isna().all(), "nobody said what they cost"
    assert set(best["limit"]) == {"compute", "memory"}
    assert found.warnings == ()
    assert found.boards == ()
    one = found_in(new_store, kernel="flash").cells
    assert set(one["kernel"]) == {"flash"}


def test_ratios_are_to_the_reference_in_each_figure_and_money_needs_a_price(
    new_store: Store,
) -> None:
    fill(new_store, records(SHARES, noise=0.001))
    priced = GPUS | {
        "h100": replace(GPUS["h100"], price_per_hour=4.0),
        "l40s": replace(GPUS["l40s"], price_per_hour=1.0),
    }
    found = hardware(read_hardware(new_store, priced, kernel="flash"), priced)
    over = ratios(found, "h100")
    for row in over.rows.to_dict("records"):
        assert row["low"] <= row["ratio"] <= row["high"]
    by_gpu = {mean.gpu: mean for mean in over.means}
    expected = np.exp(
        np.mean(
            [
                math.log(bound_ms(GPUS["l40s"], n) / 0.4 / (bound_ms(GPUS["h100"], n) / 0.6))
                for n in SIZES
            ]
        )
    )
    assert by_gpu["l40s"].ratio == pytest.approx(expected, rel=0.005)
    assert by_gpu["h100"].ratio == 1.0
    money = {mean.gpu: mean for mean in ratios(found, "h100", "money").means}
    assert money["l40s"].ratio == pytest.approx(4.0 / expected, rel=0.005)
    assert money["a100_80"].problems == 0, "it has no price"
    speed = ratios(found, "h100", "tflops").rows
    inner = speed[speed["gpu"] == "l40s"]
    assert (inner["low"] < inner["ratio"]).all()
    assert (inner["ratio"] < inner["high"]).all()
    with pytest.raises(ConfigError, match="h100"):
        ratios(found, "h10")
    with pytest.raises(ConfigError, match="no figure"):
        ratios(found, "h100", "beauty")


def test_boards_of_one_model_are_told_apart_and_the_cell_is_their_median(new_store: Store) -> None:
    slower = {"GPU-a": 1.0, "GPU-b": 1.06, "GPU-c": 1.03}
    fill(new_store, records({("h100", "flash"): 0.6}, boards={"h100": slower}, noise=0.001))
    found = found_in(new_store)
    assert [board.uuid for board in found.boards] == ["GPU-b", "GPU-c", "GPU-a"]
    middle = math.exp(np.mean(np.log(list(slower.values()))))
    for board in found.boards:
        truth = slower[board.uuid] / middle
        assert board.ratio == pytest.approx(truth, rel=0.003)
        assert board.low < board.ratio < board.high
        assert board.cells == len(SIZES)
    assert found.cells["boards"].eq(3).all()
    assert found.cells["of_roofline"].to_numpy() == pytest.approx(0.6 / 1.03, rel=0.01)


def test_boards_that_share_only_some_problems_still_compare(new_store: Store) -> None:
    plain = {("h100", "flash"): 0.6}
    fill(
        new_store,
        records(plain, boards={"h100": {"GPU-a": 1.0}}, sizes=(512, 1024)),
        records(plain, boards={"h100": {"GPU-b": 1.08}}, sizes=(1024, 2048), first=3),
    )
    by_name = {board.uuid: board for board in found_in(new_store).boards}
    assert by_name["GPU-b"].ratio / by_name["GPU-a"].ratio == pytest.approx(1.08, rel=1e-6)


def test_software_and_protocol_that_differ_are_said_and_what_one_gpu_alone_has_is_not(
    new_store: Store,
) -> None:
    newer = replace(ENVIRONMENT, torch="2.14.0", driver="590")
    fill(
        new_store,
        records({("h100", "flash"): 0.6, ("h100", "mine"): 0.1}),
        records({("l40s", "flash"): 0.6}, environment=newer),
    )
    (torch,) = found_in(new_store).warnings
    assert torch.what == "torch"
    assert torch.by_gpu == {"h100": ("2.13.0",), "l40s": ("2.14.0",)}
    assert "torch differs: h100 2.13.0; l40s 2.14.0" in torch.text


def test_a_gpu_that_reaches_what_the_others_do_is_predicted_exactly(new_store: Store) -> None:
    alike = {(gpu, "flash"): 0.5 for gpu in ("h100", "a100_80", "l40s")}
    fill(new_store, records(alike))
    told = predict(found_in(new_store), GPUS, "h200")
    assert told.factor == pytest.approx(1.0)
    by_size = dict(zip(told.rows["problem"], told.rows["latency_ms"], strict=True))
    assert len(by_size) == len(SIZES)
    assert sorted(by_size.values()) == pytest.approx(
        sorted(bound_ms(GPUS["h200"], n) / 0.5 for n in SIZES)
    )
    assert set(told.rows["sources"]) == {"a100_80, h100, l40s"}
    assert [one.ratio for one in told.left_out] == pytest.approx([1, 1, 1])


def test_the_error_of_leaving_each_gpu_out_is_said_and_makes_the_band(new_store: Store) -> None:
    fill(new_store, records({("h100", "flash"): 0.6, ("a100_80", "flash"): 0.5}))
    found = found_in(new_store)
    told = predict(found, GPUS, "h200")
    by_gpu = {one.gpu: one for one in told.left_out}
    assert by_gpu["h100"].ratio == pytest.approx(0.6 / 0.5), "taken from the A100: too slow"
    assert by_gpu["a100_80"].ratio == pytest.approx(0.5 / 0.6)
    assert by_gpu["h100"].typical == pytest.approx(1.2)
    assert told.factor > 1.2, "two GPUs know little of a third"
    assert (told.rows["low_ms"] < told.rows["latency_ms"]).all()
    alone = predict(hardware(read_hardware(new_store, GPUS, gpu="h100"), GPUS), GPUS, "h200")
    assert math.isnan(alone.factor)
    assert alone.rows["low_ms"].isna().all(), "of one GPU no error is known: no band is made up"
    assert predict(found, GPUS, "h100").rows["sources"].eq("a100_80").all()
    for target, sources, word in (
        ("h2000", None, "no such GPU"),
        ("cpu", None, "no peak"),
        ("h200", ["l4"], "wasn't measured"),
    ):
        with pytest.raises(ConfigError, match=word):
            predict(found, GPUS, target, sources)


def test_the_band_holds_a_gpu_like_the_ones_measured_nineteen_times_in_twenty() -> None:
    """Efficiencies of five GPUs drawn from one distribution, four of them measured."""
    random = np.random.default_rng(3)
    held = 0
    for _ in range(400):
        shares = random.normal(-0.5, 0.15, 5)
        errors = [shares[i] - np.delete(shares[:4], i).mean() for i in range(4)]
        missed = [LeftOut("g", 1, math.exp(e), math.exp(abs(e))) for e in errors]
        held += abs(shares[4] - shares[:4].mean()) <= math.log(band(missed))
    assert 0.93 <= held / 400 < 1.0


def test_a_processor_has_its_models_name_and_no_roofline(new_store: Store) -> None:
    from harness.model import Device

    cpu = Device("AMD EPYC 9654", "cpu", "CPU-0", "box", None)
    fill(new_store, records({("h100", "flash"): 0.5}, gpu="cpu", device=cpu))
    found = found_in(new_store)
    assert found.gpus == ("AMD EPYC 9654",)
    assert found.cells["of_roofline"].isna().all()
    with pytest.raises(ConfigError, match="no other GPU with a known roofline"):
        predict(found, GPUS, "h200")


def test_filters_that_name_nothing_are_refused_and_an_empty_store_has_no_gpus(
    new_store: Store,
) -> None:
    assert found_in(new_store).gpus == ()
    fill(new_store, records({("h100", "flash"): 0.5}))
    with pytest.raises(ConfigError, match="flash"):
        found_in(new_store, kernel="flesh")
    with pytest.raises(ConfigError, match="no filter"):
        found_in(new_store, kernels="flash")
    assert found_in(new_store, sweep=SWEEP.id).problems == 4
