"""Absorbed multi-head latent attention in Triton: every head reads the one latent of a token once.

    DeepSeek-V2 (arXiv 2405.04434), §2.1.2; chunks of the context merged by log-sum-exp:
    FlashAttention (arXiv 2205.14135), §3.1, and Flash-Decoding; pages: arXiv 2309.06180

Shapes: q [B, H, Sq, 512 + 64]; kv_cache [B, 1, Sk, 512 + 64], or paged [pages, 1, page, 576] with
page_table [B, Sk / page] → out [B, H, Sq, 512]. A token's latent is key and value at once, and all
heads attend to it, so heads and new tokens together are the rows of one matrix product:

    attend, a program a chunk of a sequence's context and a tile of its H·Sq rows
        q tile: latent part [rows, 512] and rotated part [rows, 64], on the chip throughout
        for each tile of the chunk's keys: c [keys, 512] and r [keys, 64] from the cache, once
            s = q_latent·cᵀ + q_rotated·rᵀ → running max, sum → acc [rows, 512] += p·c
        acc / total and its log-sum-exp to memory as fp32 (straight to out if there is one chunk)
    merge, a program a row: Σ exp2(lse_s − lse)·part_s over the chunks the sequence really has

128 heads make 242 FLOPs a byte of cache: it is bound by tensor cores as much as by memory. A tile
has the 64 rows that wgmma and tcgen05 take, or 32 where there is mma.sync alone: 161 to 248
registers a thread, 74 to 144 KiB of shared memory, one program a multiprocessor. The tiles of a
chunk run side by side, and read it through the second-level cache. An int8 cache is cast between
memory and tensor cores; its scale multiplies scores and result. Numbers inside are base-2. No part
of this file has run on a GPU.
"""

import torch
import triton
import triton.language as tl

LAYOUT = "BHSD"
LOG2E = tl.constexpr(1.4426950408889634)
LATENT, ROTATED = 512, 64
TILES = {80: (32, 32, 8, 2), 90: (64, 16, 8, 4), 100: (64, 32, 8, 2), 120: (32, 32, 8, 2)}
"""By compute capability and up: most rows of a tile, keys a tile, warps, stages.

acc alone, rows × 512 in fp32, is 64 or 128 registers a thread. An int8 cache takes the first
everywhere: casting on the way to wgmma and tcgen05 takes more registers than there are.
"""
LOOKED_UP = 2
"""Stages more that the look-up of pages takes out of Triton's pipeline."""
LEAST_ROWS = 16
"""Fewest rows that tensor cores take."""
PROGRAMS = 1
"""Programs a multiprocessor that the chunks are cut for: as many as its registers hold."""
PROCESSORS = 132
"""Multiprocessors where the device names none, in the interpreter: an H100's."""
MERGED = 16
"""Chunks that a merging program takes at a time."""


@triton.jit
def _places(table, b, at, j, stop, SK, PAGE: tl.constexpr, KEYS: tl.constexpr):
    """Lines of the cache, [lines, 576], that hold tokens ``j`` of a sequence."""
    if PAGE == 0:
        place = b.to(tl.int64) * SK + j
    else:
        entries = table + b.to(tl.int64) * (SK // PAGE)
        if PAGE % KEYS == 0:  # the tile lies in one page
            page = tl.load(entries + at // PAGE).to(tl.int64)
        else:
            page = tl.load(entries + j // PAGE, mask=j < stop, other=0).to(tl.int64)
        place = page * PAGE + j % PAGE
    return place


@triton.jit
def attend(
    q, cache, kv_scale, lengths, table, out, lse, SK, SQ, LINES, SPLITS, CHUNK, scale,
    DV: tl.constexpr, DR: tl.constexpr, PAGE: tl.constexpr, CAUSAL: tl.constexpr,
    SCALED: tl.constexpr, WHOLE: tl.constexpr, ROWS: tl.constexpr, KEYS: tl.constexpr,
):  # fmt: skip
    """out and lse of a tile of rows over one chunk; grid (tiles of rows, B, chunks).

    ``WHOLE``: there is one chunk, so out is the result and lse isn't written.
    """
    b, split = tl.program_id(1), tl.program_id(2)
    length = tl.load(lengths + b)
    start = split * CHUNK
    stop = tl.minimum(start + CHUNK, length)
    line = tl.program_id(0) * ROWS + tl.arange(0, ROWS)  # (head, new token)
    latent, rotated = tl.arange(0, DV), DV + tl.arange(0, DR)
    row = b.to(tl.int64) * LINES + line
    rows = q + row[:, None] * (DV + DR)
    q_latent = tl.load(rows + latent[None, :], mask=(line < LINES)[:, None], other=0.0)
    q_rotated = tl.load(rows + rotated[None, :], mask=(line < LINES)[:, None], other=0.0)
    last = length - 1 + line * 0
    if CAUSAL:
        last = length - SQ + line % SQ
    factor = scale * LOG2E
    if SCALED:
        factor = factor * tl.load(kv_scale)

    m = tl.full([ROWS], float("-inf"), tl.float32)
    total = tl.zeros([ROWS], tl.float32)
    acc = tl.zeros([ROWS, DV], tl.float32)
    for at in range(start, stop, KEYS):
        j = at + tl.arange(0, KEYS)
        there = (j < stop)[:, None]
        tokens = cache + _places(table, b, at, j, stop, SK, PAGE, KEYS)[:, None] * (DV + DR)
        c = tl.load(tokens + latent[None, :], mask=there, other=0).to(q_latent.dtype)
        r = tl.load(tokens + rotated[None, :], mask=there, other=0).to(q_latent.dtype)
        s = tl.dot(q_rotated, tl.trans(r), input_precision="ieee")
        s = tl.dot(q_latent, tl.trans(c), s, input_precision="ieee")
        seen = (j[None, :] <= last[:, None]) & (j < stop)[None, :]
        s = tl.where(seen, s * factor, float("-inf"))
        grown = tl.maximum(m, tl.max(s, 1))
        base = tl.where(grown == float("-inf"), 0.0, grown)  # a row that has seen nothing yet
        weights = tl.exp2(s - base[:, None])
        shrink = tl.exp2(m - base)
        total = total * shrink + tl.sum(weights, 1)
        acc = tl.dot(weights.to(c.dtype), c, acc * shrink[:, None], input_precision="ieee")
        m = grown

    total = tl.where(total > 0, total, 1.0)  # rows that see nothing: out 0, lse −inf
    share = 1.0 / total
    if SCALED:
        share = share * tl.load(kv_scale)
    acc = acc * share[:, None]
    if WHOLE:
        tl.store(
            out + row[:, None] * DV + latent[None, :], acc.to(out.dtype.element_ty),
            mask=(line < LINES)[:, None],
        )  # fmt: skip
    else:
        part = row * SPLITS + split
        there = line < tl.where(start < stop, LINES, 0)  # a chunk that isn't there writes nothing
        tl.store(out + part[:, None] * DV + latent[None, :], acc, mask=there[:, None])
        tl.store(lse + part, m + tl.log2(total), mask=there)


@triton.jit
def merge(parts, lse, lengths, out, LINES, SPLITS, CHUNK, DV: tl.constexpr, MERGED: tl.constexpr):
    """out of one row from its sequence's chunks; grid (B·H·Sq)."""
    row = tl.program_id(0).to(tl.int64)
    chunks = tl.cdiv(tl.load(lengths + row // LINES), CHUNK)
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


def capability(device):
    """Compute capability times ten; in the interpreter an H100's."""
    if device.type != "cuda":
        return 90
    major, minor = torch.cuda.get_device_capability(device)
    return 10 * major + minor


def tiles(problem, device):
    """(rows, keys, warps, stages) of a tile."""
    own = 80 if problem.kv_dtype else max(c for c in TILES if c <= capability(device))
    most, keys, warps, stages = TILES[own]
    rows = triton.next_power_of_2(problem.heads_q * problem.seq_q)
    return (
        min(max(rows, LEAST_ROWS), most),
        keys,
        warps,
        stages + LOOKED_UP * bool(problem.page_size),
    )


def chunks(problem, rows, keys, processors):
    """(tokens of a chunk, chunks of the longest context): whole tiles that fill the GPU once."""
    p, longest = problem, max(problem.lengths_k)
    whole = sum(p.lengths_k) / longest  # sequences as long as the longest that all of them make
    programs = whole * triton.cdiv(p.heads_q * p.seq_q, rows)
    most = max(1, int(PROGRAMS * processors / programs))
    tokens = triton.cdiv(triton.cdiv(longest, most), keys) * keys
    return tokens, triton.cdiv(longest, tokens)


def build(problem, device, options):
    """A function from q and the latent cache to out."""
    p = problem
    rows, keys, warps, stages = tiles(p, device)
    processors = PROCESSORS
    if device.type == "cuda":
        processors = torch.cuda.get_device_properties(device).multi_processor_count
    tokens, splits = chunks(p, rows, keys, processors)
    lines = p.heads_q * p.seq_q
    sizes = (p.seq_k, p.seq_q, lines, splits, tokens, p.effective_scale)
    grid = (triton.cdiv(lines, rows), p.batch, splits)
    constants = {
        "DV": LATENT, "DR": ROTATED, "PAGE": p.page_size, "CAUSAL": p.causal,
        "SCALED": bool(p.kv_dtype), "WHOLE": splits == 1, "ROWS": rows, "KEYS": keys,
    }  # fmt: skip

    def decode(inputs):
        q, lengths = inputs["q"], inputs["lengths"]
        out = q.new_empty(p.batch, p.heads_q, p.seq_q, LATENT)
        parts = lse = None
        if splits > 1:
            parts = q.new_empty(p.batch * lines, splits, LATENT, dtype=torch.float32)
            lse = q.new_empty(p.batch * lines, splits, dtype=torch.float32)
        attend[grid](
            q, inputs["kv_cache"], inputs.get("kv_scale"), lengths, inputs.get("page_table"),
            out if parts is None else parts, lse, *sizes,
            num_warps=warps, num_stages=stages, **constants,
        )  # fmt: skip
        if splits > 1:
            merge[(p.batch * lines,)](
                parts, lse, lengths, out, lines, splits, tokens,
                DV=LATENT, MERGED=MERGED, num_warps=4,
            )  # fmt: skip
        return out

    return decode
