"""The index arithmetic of our CUDA kernels, the very functions, against brute force on the CPU."""

from __future__ import annotations

import ctypes
import itertools
import subprocess
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.kernels.emulated import COMPILER, SIMT, needs_compiler

pytestmark = needs_compiler
FAR = 1 << 30
LENGTH = st.integers(1, 40)
EDGE = st.one_of(st.integers(0, 45), st.just(FAR))


@pytest.fixture(scope="module")
def indices(tmp_path_factory: pytest.TempPathFactory) -> ctypes.CDLL:
    out = tmp_path_factory.mktemp("indices") / "indices.so"
    model = f'-DHOST_MODEL="{SIMT / "cuda.h"}"'
    command = [str(COMPILER), "-shared", "-fPIC", "-std=c++20", "-U_FORTIFY_SOURCE", model]
    command += ["-o", str(out), str(Path(SIMT) / "indices.cpp")]
    subprocess.run(command, check=True)
    library = ctypes.CDLL(str(out))
    library.cached_row.restype = ctypes.c_int64
    library.columns_descriptor.restype = library.rows_descriptor.restype = ctypes.c_uint64
    return library


def numbers(library: ctypes.CDLL, name: str, count: int, *arguments: int) -> list[int]:
    """What a function writes into its last argument."""
    out = (ctypes.c_int * count)()
    library[name](*arguments, out)
    return list(out)


@pytest.mark.parametrize("dim", [64, 128])
def test_the_swizzle_is_a_bijection_without_bank_conflicts(dim: int, indices: ctypes.CDLL) -> None:
    rows, chunks = 128, dim // 8
    places = np.array([[indices.place(r, c, dim) for c in range(chunks)] for r in range(rows)])
    assert sorted(places.ravel()) == list(range(0, rows * dim, 8))
    assert (places // dim == np.arange(rows)[:, None]).all()  # a row keeps to itself
    banks = places // 8 % 8  # 16 bytes are four of 32 banks
    for first in range(0, rows, 8):
        for chunk in range(chunks):  # what ldmatrix reads at once
            assert len(set(banks[first : first + 8, chunk])) == 8
    for row, first in itertools.product(
        range(rows), range(0, chunks, 8)
    ):  # what is written at once
        assert len(set(banks[row, first : first + 8])) == 8


@settings(max_examples=40, deadline=None)
@given(LENGTH, LENGTH, EDGE, EDGE, st.integers(1, 16))
def test_bounds_of_tiles_are_what_the_mask_says(
    indices: ctypes.CDLL, sq: int, sk: int, left: int, right: int, tile: int
) -> None:
    at = np.arange(sq)[:, None] + sk - sq
    j = np.arange(sk)[None, :]
    mask = (j >= at - left) & (j <= at + right)  # FIELD.md §3
    for i in range(sq):
        begin, end = numbers(indices, "seen", 2, i, sq, sk, left, right)
        assert list(range(begin, end)) == list(np.flatnonzero(mask[i]))
    for first in range(0, sq, tile):
        last = min(first + tile, sq) - 1
        found = numbers(indices, "seen_by_rows", 4, first, last, sq, sk, left, right)
        some, every = mask[first : last + 1].any(0), mask[first : last + 1].all(0)
        # some row may see nothing before another does: what is in between is hidden key by key
        assert set(np.flatnonzero(some)) <= set(range(found[0], found[1]))
        assert set(range(found[2], found[3])) == set(np.flatnonzero(every))
        if some.any():
            assert (found[0], found[1] - 1) == (some.argmax(), sk - 1 - some[::-1].argmax())


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 300), st.integers(-5, 700), st.integers(1, 20), st.sampled_from([16, 64]))
def test_splits_share_the_context_between_them(
    indices: ctypes.CDLL, begin: int, span: int, splits: int, unit: int
) -> None:
    found: list[int] = []
    for which in range(splits):
        first, past = numbers(indices, "split", 2, begin, begin + span, which, splits, unit)
        assert first % unit == begin % unit
        found += range(first, past)
    assert found == list(range(begin, begin + span))


@settings(max_examples=30, deadline=None)
@given(st.integers(1, 5), st.integers(1, 4), st.integers(1, 6), st.integers(0, 99))
def test_a_token_is_found_on_its_page(
    indices: ctypes.CDLL, page: int, pages: int, heads: int, seed: int
) -> None:
    batch, seq_k = 3, page * pages
    table = np.random.default_rng(seed).permutation(batch * pages).astype(np.int32)
    cache = np.arange(batch * pages * heads * page).reshape(batch * pages, heads, page)
    whole = cache[table.reshape(batch, pages)].transpose(0, 2, 1, 3).reshape(batch, heads, seq_k)
    plain = np.arange(batch * heads * seq_k).reshape(batch, heads, seq_k)
    pointer = table.ctypes.data_as(ctypes.c_void_p)
    for b, h, j in itertools.product(range(batch), range(heads), range(seq_k)):
        assert indices.cached_row(pointer, heads, seq_k, page, b, h, j) == whole[b, h, j]
        assert indices.cached_row(None, heads, seq_k, page, b, h, j) == plain[b, h, j]


@settings(max_examples=40, deadline=None)
@given(st.integers(1, 600), st.integers(1, 400), st.integers(1, 500))
def test_splits_fill_the_gpu_and_no_more(
    indices: ctypes.CDLL, blocks: int, places: int, units: int
) -> None:
    def busy(splits: int) -> float:
        return blocks * splits / (-(-blocks * splits // places) * places)

    found = indices.splits(blocks, places, units)
    possible = range(1, min(units, 128) + 1)
    assert found in possible
    best = max(map(busy, possible))
    assert busy(found) >= 0.9 * best - 1e-6
    assert all(busy(fewer) < 0.9 * best + 1e-6 for fewer in range(1, found))


def test_lanes_hold_what_the_isa_says(indices: ctypes.CDLL) -> None:
    """mma.m16n8k16's accumulator; ldmatrix.x4's matrices in the operands' order."""
    held = set()
    for lane in range(32):
        a_row, a_chunk, b_row, b_chunk, *cells = numbers(indices, "fragment", 12, lane)
        matrix, line = divmod(lane, 8)
        # operand a: rows 0-7 then 8-15 of the first eight columns, then of the second
        assert (a_row, a_chunk) == (line + 8 * (matrix % 2), matrix // 2)
        # operand b of two column tiles: both halves of the depth of one, then of the other
        assert (b_row, b_chunk) == (line + 8 * (matrix // 2), matrix % 2)
        for i in range(4):
            row, column = cells[2 * i : 2 * i + 2]
            assert (row, column) == (lane // 4 + 8 * (i >= 2), 2 * (lane % 4) + (i & 1))
            held.add((row, column))
    assert held == set(itertools.product(range(16), range(8)))


def swizzled(address: int) -> int:
    """TMA's and wgmma's 128-byte swizzle: bits 4-6 are exclusive-ored with bits 7-9."""
    return address ^ ((address >> 3) & 0x70)


def fields(descriptor: int) -> tuple[int, int, int]:
    """Start address, leading and stride byte offsets (PTX ISA, Matrix Descriptor Format)."""
    assert descriptor >> 62 == 1  # the 128-byte swizzle
    assert (descriptor >> 49) & 7 == 0  # patterns begin at multiples of 1024 bytes
    address, leading, stride = ((descriptor >> at & 0x3FFF) << 4 for at in (0, 16, 32))
    return address, leading, stride


@pytest.mark.parametrize(("rows", "dim"), [(64, 64), (64, 128), (128, 64), (128, 128)])
def test_descriptors_point_at_what_tma_brought(rows: int, dim: int, indices: ctypes.CDLL) -> None:
    """A tile as boxes of 64 columns put it into shared memory, read back as wgmma would."""
    base, tile = 3 * 1024, np.arange(rows * dim).reshape(rows, dim)
    memory = {}
    for panel, row, column in itertools.product(range(dim // 64), range(rows), range(64)):
        at = base + panel * rows * 128 + row * 128 + column * 2
        memory[swizzled(at)] = tile[row, panel * 64 + column]
    assert len(memory) == rows * dim
    for step in range(dim // 16):  # q and k: the summed index lies along the rows
        start, _, stride = fields(indices.columns_descriptor(base, rows, step))
        for row, k in itertools.product(range(rows), range(16)):
            at = swizzled(start + row // 8 * stride + row % 8 * 128 + k * 2)
            assert memory[at] == tile[row, step * 16 + k]
    for step in range(rows // 16):  # v: it goes down the rows, panels stand beside each other
        start, leading, stride = fields(indices.rows_descriptor(base, rows, step))
        for column, k in itertools.product(range(dim), range(16)):
            panel, within = divmod(column, 64)
            at = start + panel * leading + k // 8 * stride + k % 8 * 128 + within * 2
            assert memory[swizzled(at)] == tile[step * 16 + k, column]
    for row, chunk in itertools.product(range(rows), range(dim // 8)):  # how the output is staged
        assert memory[base + 2 * indices.panel_place(row, chunk, rows)] == tile[row, chunk * 8]
