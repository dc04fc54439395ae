"""Flash-Decoding in Triton: the context in chunks side by side, merged by log-sum-exp.

    Flash-Decoding: T. Dao et al., 2023; merge: FlashAttention (arXiv 2205.14135), §3.1; pages:
    arXiv 2309.06180; the heads of a group as rows of one matrix product: GQA, arXiv 2305.13245

Shapes: q [B, Hq, Sq, D]; k_cache [B, Hkv, Sk, D], v_cache [B, Hkv, Sk, Dv], or paged
[pages, Hkv, page, D] with page_table [B, Sk / page] → out [B, Hq, Sq, Dv]. A decode step is bound
by reading the cache, so every byte of it is read once, by as many programs as fill the GPU:

    attend, a program a chunk of a sequence's context and a key/value head
        q tile: the Sq new tokens of all heads that share the cache's head, ``LINES`` rows, in
                registers; 16 rows are the least that tensor cores take, so a group of 4 costs 16
        for each tile of the chunk's keys: k → s = q·kᵀ → running max, sum → acc += p·v
        acc / total and its log-sum-exp to memory as fp32 (straight to out if there is one chunk)
    merge, a program a row: Σ exp2(lse_s − lse)·part_s over the chunks the sequence really has

Chunks are equally long for all sequences, so uneven contexts spread evenly and a short sequence's
surplus programs end at once. Pages are looked up a tile at a time where a page holds whole tiles,
else a token at a time. An int8 cache is cast between memory and tensor cores; a head's scales
multiply scores and result. Numbers inside are base-2. No part of this file has run on a GPU.
"""

import torch
import triton
import triton.language as tl

LAYOUT = "BHSD"
LOG2E = tl.constexpr(1.4426950408889634)
TILES = {64: (64, 64, 4, 3), 128: (64, 64, 4, 3), 256: (32, 32, 4, 3)}
"""By the wider head dim: most rows and keys of a tile, warps, stages: k and v take 20 to 90 KB."""
LOOKED_UP = 2
"""Stages more that the look-up of pages takes out of Triton's pipeline."""
LEAST_ROWS = 16
"""Fewest rows that tensor cores take."""
PROGRAMS = 2
"""Programs a multiprocessor that the chunks are cut for: as many as its shared memory holds."""
PROCESSORS = 132
"""Multiprocessors where the device names none, in the interpreter: an H100's."""
MERGED = 16
"""Chunks that a merging program takes at a time."""


@triton.jit
def _begin(length, SQ, LEFT: tl.constexpr, KEYS: tl.constexpr):
    """The first token that some new token of the sequence sees, down to a whole tile."""
    begin = length * 0
    if LEFT >= 0:
        begin = tl.maximum(length - SQ - LEFT, 0) // KEYS * KEYS
    return begin


@triton.jit
def _places(table, b, h, at, j, stop, SK, HEADS, PAGE: tl.constexpr, KEYS: tl.constexpr):
    """Lines of the cache, [lines, head dim], that hold tokens ``j`` of a sequence's head."""
    if PAGE == 0:
        place = (b * HEADS + h).to(tl.int64) * SK + j
    else:
        entries = table + b.to(tl.int64) * (SK // PAGE)
        if PAGE % KEYS == 0:  # the tile lies in one page
            page = tl.load(entries + at // PAGE).to(tl.int64)
        else:
            page = tl.load(entries + j // PAGE, mask=j < stop, other=0).to(tl.int64)
        place = (page * HEADS + h) * PAGE + j % PAGE
    return place


@triton.jit
def _scores(q, k, j, p, stop, factor, CAUSAL: tl.constexpr, LEFT: tl.constexpr, CAP: tl.constexpr):
    """Scores of a tile in powers of two; −inf where the token at ``p`` doesn't see token ``j``."""
    s = tl.dot(q, tl.trans(k), input_precision="ieee")
    if CAP > 0:  # tanh(x) = 2σ(2x) − 1
        s = (2 * tl.sigmoid(s * (2 / (CAP * LOG2E) * factor)) - 1) * (CAP * LOG2E)
    else:
        s = s * factor
    seen = (j < stop)[None, :]
    if CAUSAL:
        seen = seen & (j[None, :] <= p[:, None])
    if LEFT >= 0:
        seen = seen & (j[None, :] >= p[:, None] - LEFT)
    return tl.where(seen, s, float("-inf"))


@triton.jit
def attend(
    q, k_cache, v_cache, k_scale, v_scale, lengths, table, out, lse,
    SK, HEADS, SQ, LINES, SPLITS, CHUNK, scale,
    D: tl.constexpr, DV: tl.constexpr, PAGE: tl.constexpr, CAUSAL: tl.constexpr,
    LEFT: tl.constexpr, CAP: tl.constexpr, SCALED: tl.constexpr, WHOLE: tl.constexpr,
    ROWS: tl.constexpr, KEYS: tl.constexpr,
):  # fmt: skip
    """out and lse of a tile of rows over one chunk; grid (tiles of rows, B·Hkv, chunks).

    ``WHOLE``: there is one chunk, so out is the result and lse isn't written.
    """
    b, h = tl.program_id(1) // HEADS, tl.program_id(1) % HEADS
    split = tl.program_id(2)
    length = tl.load(lengths + b)
    start = _begin(length, SQ, LEFT, KEYS) + split * CHUNK
    stop = tl.minimum(start + CHUNK, length)
    line = tl.program_id(0) * ROWS + tl.arange(0, ROWS)  # (head of the group, new token)
    d, dv = tl.arange(0, D), tl.arange(0, DV)
    row = tl.program_id(1).to(tl.int64) * LINES + line
    q_tile = tl.load(q + row[:, None] * D + d[None, :], mask=(line < LINES)[:, None], other=0.0)
    p = length - SQ + line % SQ  # where the row's token stands in the context
    factor = scale * LOG2E
    if SCALED:
        factor = factor * tl.load(k_scale + h)

    m = tl.full([ROWS], float("-inf"), tl.float32)
    total = tl.zeros([ROWS], tl.float32)
    acc = tl.zeros([ROWS, DV], tl.float32)
    for at in range(start, stop, KEYS):
        j = at + tl.arange(0, KEYS)
        there = (j < stop)[:, None]
        place = _places(table, b, h, at, j, stop, SK, HEADS, PAGE, KEYS)
        k = tl.load(k_cache + place[:, None] * D + d[None, :], mask=there, other=0)
        s = _scores(q_tile, k.to(q_tile.dtype), j, p, stop, factor, CAUSAL, LEFT, CAP)
        grown = tl.maximum(m, tl.max(s, 1))
        base = tl.where(grown == float("-inf"), 0.0, grown)  # a row that has seen nothing yet
        weights = tl.exp2(s - base[:, None])
        shrink = tl.exp2(m - base)
        total = total * shrink + tl.sum(weights, 1)
        v = tl.load(v_cache + place[:, None] * DV + dv[None, :], mask=there, other=0)
        v = v.to(q_tile.dtype)
        acc = tl.dot(weights.to(v.dtype), v, acc * shrink[:, None], input_precision="ieee")
        m = grown

    total = tl.where(total > 0, total, 1.0)  # rows that see nothing: out 0, lse −inf
    share = 1.0 / total
    if SCALED:
        share = share * tl.load(v_scale + h)
    acc = acc * share[:, None]
    if WHOLE:
        tl.store(
            out + row[:, None] * DV + dv[None, :], acc.to(out.dtype.element_ty),
            mask=(line < LINES)[:, None],
        )  # fmt: skip
    else:
        part = row * SPLITS + split
        there = line < tl.where(start < stop, LINES, 0)  # a chunk that isn't there writes nothing
        tl.store(out + part[:, None] * DV + dv[None, :], acc, mask=there[:, None])
        tl.store(lse + part, m + tl.log2(total), mask=there)


@triton.jit
def merge(
    parts, lse, lengths, out, LINES_ALL, SQ, SPLITS, CHUNK,
    DV: tl.constexpr, LEFT: tl.constexpr, KEYS: tl.constexpr, MERGED: tl.constexpr,
):  # fmt: skip
    """out of one row from its sequence's chunks; grid (B·Hq·Sq). ``LINES_ALL``: rows a sequence."""
    row = tl.program_id(0).to(tl.int64)
    length = tl.load(lengths + row // LINES_ALL)
    chunks = tl.cdiv(length - _begin(length, SQ, LEFT, KEYS), CHUNK)
    dv = tl.arange(0, DV)
    m = float("-inf")
    total = 0.0
    acc = tl.zeros([DV], tl.float32)
    for at in range(0, chunks, MERGED):
        split = at + tl.arange(0, MERGED)
        there = split < chunks
        place = row * SPLITS + split
        ends = tl.load(lse + place, mask=there, other=float("-inf"))
        part = tl.load(parts + place[:, None] * DV + dv[None, :], mask=there[:, None], other=0.0)
        grown = tl.maximum(m, tl.max(ends, 0))
        base = tl.where(grown == float("-inf"), 0.0, grown)
        weights = tl.exp2(ends - base)
        shrink = tl.exp2(m - base)
        total = total * shrink + tl.sum(weights, 0)
        acc = acc * shrink + tl.sum(part * weights[:, None], 0)
        m = grown
    acc = acc / tl.where(total > 0, total, 1.0)
    tl.store(out + row * DV + dv, acc.to(out.dtype.element_ty))


def chunks(problem, processors):
    """(tokens of a chunk, chunks of the longest context): whole tiles that fill the GPU once."""
    p = problem
    rows, keys, _, _ = tiles(p)
    seen = [n if p.window_left is None else min(n, p.seq_q + p.window_left) for n in p.lengths_k]
    if p.window_left is not None:  # a window begins inside a tile
        seen = [n + keys - 1 for n in seen]
    whole = sum(seen) / max(seen)  # sequences as long as the longest that all of them make
    programs = whole * p.heads_kv * triton.cdiv(p.group * p.seq_q, rows)
    most = max(1, int(PROGRAMS * processors / programs))
    tokens = triton.cdiv(triton.cdiv(max(seen), most), keys) * keys
    return tokens, triton.cdiv(max(seen), tokens)


def tiles(problem):
    """(rows, keys, warps, stages) of a tile."""
    p = problem
    most, keys, warps, stages = TILES[max(p.head_dim_qk, p.head_dim_v)]
    rows = max(triton.next_power_of_2(p.group * p.seq_q), LEAST_ROWS)
    return min(rows, most), keys, warps, stages + LOOKED_UP * bool(p.page_size)


def settings(problem):
    """The constants that a problem's kernels are compiled with."""
    p = problem
    rows, keys, _, _ = tiles(p)
    return {
        "D": p.head_dim_qk,
        "DV": p.head_dim_v,
        "PAGE": p.page_size,
        "CAUSAL": p.causal,
        "LEFT": -1 if p.window_left is None else p.window_left,
        "CAP": float(p.softcap),
        "SCALED": bool(p.kv_dtype),
        "ROWS": rows,
        "KEYS": keys,
    }


def build(problem, device, options):
    """A function from q and the cache to out."""
    p, constants = problem, settings(problem)
    rows, keys, warps, stages = tiles(p)
    processors = PROCESSORS
    if device.type == "cuda":
        processors = torch.cuda.get_device_properties(device).multi_processor_count
    tokens, splits = chunks(p, processors)
    lines = p.group * p.seq_q
    sizes = (p.seq_k, p.heads_kv, p.seq_q, lines, splits, tokens, p.effective_scale)
    grid = (triton.cdiv(lines, rows), p.batch * p.heads_kv, splits)
    all_lines = p.batch * p.heads_q * p.seq_q

    def decode(inputs):
        q, lengths = inputs["q"], inputs["lengths"]
        out = q.new_empty(p.batch, p.heads_q, p.seq_q, p.head_dim_v)
        parts = lse = None
        if splits > 1:
            parts = q.new_empty(all_lines, splits, p.head_dim_v, dtype=torch.float32)
            lse = q.new_empty(all_lines, splits, dtype=torch.float32)
        attend[grid](
            q, inputs["k_cache"], inputs["v_cache"], inputs.get("k_scale"), inputs.get("v_scale"),
            lengths, inputs.get("page_table"), out if parts is None else parts, lse, *sizes,
            WHOLE=splits == 1, num_warps=warps, num_stages=stages, **constants,
        )  # fmt: skip
        if splits > 1:
            merge[(all_lines,)](
                parts, lse, lengths, out, p.heads_q * p.seq_q, p.seq_q, splits, tokens,
                DV=p.head_dim_v, LEFT=constants["LEFT"], KEYS=keys, MERGED=MERGED, num_warps=4,
            )  # fmt: skip
        return out

    return decode
