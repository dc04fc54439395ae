"""Linear attention in Triton, forward and backward: segments side by side, chunks in sequence.

    Katharopoulos et al. 2020 (arXiv 2006.16236), §3.2 to 3.4; the chunked form: Hua et al. 2022
    (arXiv 2202.10447), §3, and Yang et al. 2024 (arXiv 2312.06635), §4

Shapes: q, k [B, H, S, D], v [B, H, S, Dv] → out [B, H, S, Dv]; D, Dv up to 128. φ(x) = elu(x) + 1,
with q and k read as they are: φ is computed on the chip. A head's state is S = Σ φ(k)·vᵀ [D, Dv]
and z = Σ φ(k) [D]; a segment is some chunks of 64 tokens, as long as lets all of them fill the GPU:

    totals   a program a segment: what its keys add to S and z, to memory (fp32)
    outputs  a program a segment: S, z = the sum of the segments before; then for each chunk
                 n = φ(q)·z + Σ_j tril(φ(q)φ(k)ᵀ)    out = (φ(q)·S + tril(φ(q)φ(k)ᵀ)·v) / n
                 S += φ(k)ᵀ·v,  z += Σ φ(k)          S stays in registers: no chunk's goes to memory

Backward, with ĝ = dout/n and c = (dout·out)/n, walks the same way for dq and from the end for dk
and dv, where U = Σ φ(q)·ĝᵀ and u = Σ c·φ(q) of the later tokens are the state:

    dφ(q) = ĝ·Sᵀ − c·z + tril(ĝvᵀ − c)·φ(k)    dφ(k) = v·Uᵀ − u + tril(ĝvᵀ − c)ᵀ·φ(q)
    dv = φ(k)·U + tril(φ(q)φ(k)ᵀ)ᵀ·ĝ           dq = dφ(q)·φ'(q), dk = dφ(k)·φ'(k)

Without a mask the state is that of all segments, and nothing is added. Products are in tf32 of fp32
tiles: ĝ falls as 1/S, below what fp16 holds, and sums of φ rise above it. No part of this file has
run on a GPU.
"""

import torch
import triton
import triton.language as tl

LAYOUT = "BHSD"
SMALL = {16: (32, 16, 4, 1), 32: (32, 32, 4, 1), 64: (32, 32, 4, 1), 128: (32, 32, 8, 1)}
LARGE = {64: (64, 64, 4, 1), 128: (64, 64, 8, 1)}
NARROW = (32, 16, 4, 1)  # where one head dim is smaller than the other's tile
TILES = {
    80: SMALL,
    90: SMALL | {64: LARGE[64], 128: (32, 16, 8, 1)},
    100: SMALL | LARGE,
    120: SMALL,
}
"""Tokens of a chunk, columns of the state a program, warps, stages.

By compute capability and up, and by the wider head dim, rounded up to a power of two. mma.sync
keeps whole operands in registers, wgmma and tcgen05 read them from shared memory.
"""
PROGRAMS = 2
"""Programs a multiprocessor that the segments are cut for."""
PROCESSORS = 132
"""Multiprocessors where the device names none, in the interpreter: an H100's."""
MOST_SEGMENTS = 16
"""A program adds up the states of the segments before its own: not too many."""


@triton.jit
def _rows(x, i, rows, at, D: tl.constexpr, BLOCK: tl.constexpr):
    """Lines ``i`` of [rows, D] from column ``at``, as fp32 [lines, BLOCK]; and which are there."""
    d = at + tl.arange(0, BLOCK)
    there = (i < rows)[:, None] & (d < D)[None, :]
    return tl.load(x + i[:, None] * D + d[None, :], mask=there, other=0.0).to(tl.float32), there


@triton.jit
def _features(x, i, rows, at, D: tl.constexpr, BLOCK: tl.constexpr):
    """φ of such lines, φ(x) = elu(x) + 1, and 0 where nothing is."""
    x, there = _rows(x, i, rows, at, D, BLOCK)
    return tl.where(there, tl.where(x > 0, x + 1, tl.exp(x)), 0.0)


@triton.jit
def _numbers(x, i, rows):
    """A number a token, 0 beyond."""
    return tl.load(x + i, mask=i < rows, other=0.0)


@triton.jit
def _dot(a, b, acc):
    return tl.dot(a, b, acc, input_precision="tf32")


@triton.jit
def _keep(x, i, value, rows, at, D: tl.constexpr, BLOCK: tl.constexpr):
    """Write [lines, BLOCK] to lines ``i`` of [rows, D], columns from ``at``."""
    d = at + tl.arange(0, BLOCK)
    there = (i < rows)[:, None] & (d < D)[None, :]
    tl.store(x + i[:, None] * D + d[None, :], value.to(x.dtype.element_ty), mask=there)


@triton.jit
def _keep_slope(x, dx, i, grown, rows, at, D: tl.constexpr, BLOCK: tl.constexpr):
    """Write a gradient of φ(x) as that of x: φ'(x) is 1 where x > 0, else eˣ."""
    line, _ = _rows(x, i, rows, at, D, BLOCK)
    _keep(dx, i, grown * tl.where(line > 0, 1.0, tl.exp(line)), rows, at, D, BLOCK)


@triton.jit
def _gathered(state, sums, start, stop, d, dv, BD: tl.constexpr, BV: tl.constexpr):
    """Rows ``d`` and columns ``dv`` of what a head's segments ``start`` to ``stop`` add up to."""
    s = tl.zeros([d.shape[0], dv.shape[0]], tl.float32)
    z = tl.zeros([d.shape[0]], tl.float32)
    for segment in range(start, stop):
        s += tl.load(state + segment * BD * BV + d[:, None] * BV + dv[None, :])
        z += tl.load(sums + segment * BD + d)
    return s, z


@triton.jit
def totals(
    x, y, weight, column, state, sums, S, SEGMENT,
    D: tl.constexpr, DV: tl.constexpr, BD: tl.constexpr, BV: tl.constexpr,
    WEIGHTED: tl.constexpr, CHUNK: tl.constexpr, TILE: tl.constexpr,
):  # fmt: skip
    """Σ φ(x)·(weight·y)ᵀ and Σ column·φ(x) of a segment; grid (segments, B·H, tiles of y)."""
    segment, head = tl.program_id(0), tl.program_id(1).to(tl.int64)
    v0 = tl.program_id(2) * TILE
    s = tl.zeros([BD, TILE], tl.float32)
    z = tl.zeros([BD], tl.float32)
    start = segment * SEGMENT
    for at in range(start, tl.minimum(start + SEGMENT, S), CHUNK):
        i = at + tl.arange(0, CHUNK)
        fx = _features(x + head * S * D, i, S, 0, D, BD)
        lines, _ = _rows(y + head * S * DV, i, S, v0, DV, TILE)
        share = fx
        if WEIGHTED:
            lines = lines * _numbers(weight + head * S, i, S)[:, None]
            share = fx * _numbers(column + head * S, i, S)[:, None]
        s = _dot(tl.trans(fx), lines, s)
        z += tl.sum(share, 0)
    d, dv = tl.arange(0, BD), v0 + tl.arange(0, TILE)
    place = head * tl.num_programs(0) + segment
    tl.store(state + place * BD * BV + d[:, None] * BV + dv[None, :], s)
    if v0 == 0:
        tl.store(sums + place * BD + d, z)


@triton.jit
def outputs(
    q, k, v, state, sums, out, norm, SQ, SK, SEGMENT, SEGMENTS,
    D: tl.constexpr, DV: tl.constexpr, BD: tl.constexpr, BV: tl.constexpr,
    CAUSAL: tl.constexpr, CHUNK: tl.constexpr, TILE: tl.constexpr,
):  # fmt: skip
    """out, and n as ``norm`` [B, H, Sq], of a segment; grid (segments, B·H, tiles of v)."""
    segment, head = tl.program_id(0), tl.program_id(1).to(tl.int64)
    v0 = tl.program_id(2) * TILE
    q, out, norm = q + head * SQ * D, out + head * SQ * DV, norm + head * SQ
    k, v = k + head * SK * D, v + head * SK * DV
    state, sums = state + head * SEGMENTS * BD * BV, sums + head * SEGMENTS * BD
    stop = segment if CAUSAL else SEGMENTS
    s, z = _gathered(state, sums, 0, stop, tl.arange(0, BD), v0 + tl.arange(0, TILE), BD, BV)
    start = segment * SEGMENT
    for at in range(start, tl.minimum(start + SEGMENT, SQ), CHUNK):
        i = at + tl.arange(0, CHUNK)
        fq = _features(q, i, SQ, 0, D, BD)
        n = tl.sum(fq * z[None, :], 1)
        o = _dot(fq, s, tl.zeros([CHUNK, TILE], tl.float32))
        if CAUSAL:
            fk = _features(k, i, SK, 0, D, BD)
            lines, _ = _rows(v, i, SK, v0, DV, TILE)
            a = _dot(fq, tl.trans(fk), tl.zeros([CHUNK, CHUNK], tl.float32))
            a = tl.where(i[:, None] >= i[None, :], a, 0.0)
            n += tl.sum(a, 1)
            o = _dot(a, lines, o)
            s = _dot(tl.trans(fk), lines, s)
            z += tl.sum(fk, 0)
        n = tl.where(i < SQ, n, 1.0)
        _keep(out, i, o / n[:, None], SQ, v0, DV, TILE)
        if v0 == 0:
            tl.store(norm + i, n, mask=i < SQ)


@triton.jit
def query_gradient(
    q, k, v, dout, weight, column, state, sums, dq, SQ, SK, SEGMENT, SEGMENTS,
    D: tl.constexpr, DV: tl.constexpr, BD: tl.constexpr, BV: tl.constexpr,
    CAUSAL: tl.constexpr, CHUNK: tl.constexpr, TILE: tl.constexpr,
):  # fmt: skip
    """dq of a segment; ``weight`` is 1/n, ``column`` c; grid (segments, B·H, tiles of q)."""
    segment, head = tl.program_id(0), tl.program_id(1).to(tl.int64)
    d0 = tl.program_id(2) * TILE
    q, dq, dout = q + head * SQ * D, dq + head * SQ * D, dout + head * SQ * DV
    k, v = k + head * SK * D, v + head * SK * DV
    state, sums = state + head * SEGMENTS * BD * BV, sums + head * SEGMENTS * BD
    stop = segment if CAUSAL else SEGMENTS
    s, z = _gathered(state, sums, 0, stop, d0 + tl.arange(0, TILE), tl.arange(0, BV), BD, BV)
    start = segment * SEGMENT
    for at in range(start, tl.minimum(start + SEGMENT, SQ), CHUNK):
        i = at + tl.arange(0, CHUNK)
        c = _numbers(column + head * SQ, i, SQ)
        g, _ = _rows(dout, i, SQ, 0, DV, BV)
        g = g * _numbers(weight + head * SQ, i, SQ)[:, None]
        grown = _dot(g, tl.trans(s), -c[:, None] * z[None, :])
        if CAUSAL:
            fk = _features(k, i, SK, d0, D, TILE)
            lines, _ = _rows(v, i, SK, 0, DV, BV)
            w = _dot(g, tl.trans(lines), tl.zeros([CHUNK, CHUNK], tl.float32)) - c[:, None]
            grown = _dot(tl.where(i[:, None] >= i[None, :], w, 0.0), fk, grown)
            s = _dot(tl.trans(fk), lines, s)
            z += tl.sum(fk, 0)
        _keep_slope(q, dq, i, grown, SQ, d0, D, TILE)


@triton.jit
def key_gradient(
    q, k, v, dout, weight, column, state, sums, dk, SQ, SK, SEGMENT, SEGMENTS,
    D: tl.constexpr, DV: tl.constexpr, BD: tl.constexpr, BV: tl.constexpr,
    CAUSAL: tl.constexpr, CHUNK: tl.constexpr, TILE: tl.constexpr,
):  # fmt: skip
    """dk of a segment, from its last chunk to its first; grid (segments, B·H, tiles of k)."""
    segment, head = tl.program_id(0), tl.program_id(1).to(tl.int64)
    d0 = tl.program_id(2) * TILE
    q, dout = q + head * SQ * D, dout + head * SQ * DV
    k, v, dk = k + head * SK * D, v + head * SK * DV, dk + head * SK * D
    state, sums = state + head * SEGMENTS * BD * BV, sums + head * SEGMENTS * BD
    first = segment + 1 if CAUSAL else 0
    u, z = _gathered(
        state, sums, first, SEGMENTS, d0 + tl.arange(0, TILE), tl.arange(0, BV), BD, BV
    )
    start = segment * SEGMENT
    chunks = tl.cdiv(tl.minimum(start + SEGMENT, SK) - start, CHUNK)
    for back in range(0, chunks):
        j = start + (chunks - 1 - back) * CHUNK + tl.arange(0, CHUNK)
        lines, _ = _rows(v, j, SK, 0, DV, BV)
        grown = _dot(lines, tl.trans(u), tl.zeros([CHUNK, TILE], tl.float32)) - z[None, :]
        if CAUSAL:
            fq = _features(q, j, SQ, d0, D, TILE)
            c = _numbers(column + head * SQ, j, SQ)
            g, _ = _rows(dout, j, SQ, 0, DV, BV)
            g = g * _numbers(weight + head * SQ, j, SQ)[:, None]
            w = _dot(lines, tl.trans(g), tl.zeros([CHUNK, CHUNK], tl.float32)) - c[None, :]
            grown = _dot(tl.where(j[:, None] <= j[None, :], w, 0.0), fq, grown)
            u = _dot(tl.trans(fq), g, u)
            z += tl.sum(fq * c[:, None], 0)
        _keep_slope(k, dk, j, grown, SK, d0, D, TILE)


@triton.jit
def value_gradient(
    q, k, dout, weight, state, sums, dv, SQ, SK, SEGMENT, SEGMENTS,
    D: tl.constexpr, DV: tl.constexpr, BD: tl.constexpr, BV: tl.constexpr,
    CAUSAL: tl.constexpr, CHUNK: tl.constexpr, TILE: tl.constexpr,
):  # fmt: skip
    """dv of a segment, from its last chunk to its first; grid (segments, B·H, tiles of v)."""
    segment, head = tl.program_id(0), tl.program_id(1).to(tl.int64)
    v0 = tl.program_id(2) * TILE
    q, dout = q + head * SQ * D, dout + head * SQ * DV
    k, dv = k + head * SK * D, dv + head * SK * DV
    state, sums = state + head * SEGMENTS * BD * BV, sums + head * SEGMENTS * BD
    first = segment + 1 if CAUSAL else 0
    u, _unused = _gathered(
        state, sums, first, SEGMENTS, tl.arange(0, BD), v0 + tl.arange(0, TILE), BD, BV
    )
    start = segment * SEGMENT
    chunks = tl.cdiv(tl.minimum(start + SEGMENT, SK) - start, CHUNK)
    for back in range(0, chunks):
        j = start + (chunks - 1 - back) * CHUNK + tl.arange(0, CHUNK)
        fk = _features(k, j, SK, 0, D, BD)
        grown = _dot(fk, u, tl.zeros([CHUNK, TILE], tl.float32))
        if CAUSAL:
            fq = _features(q, j, SQ, 0, D, BD)
            g, _ = _rows(dout, j, SQ, v0, DV, TILE)
            g = g * _numbers(weight + head * SQ, j, SQ)[:, None]
            a = _dot(fk, tl.trans(fq), tl.zeros([CHUNK, CHUNK], tl.float32))
            grown = _dot(tl.where(j[:, None] <= j[None, :], a, 0.0), g, grown)
            u = _dot(tl.trans(fq), g, u)
        _keep(dv, j, grown, SK, v0, DV, TILE)


def capability(device):
    """Compute capability times ten; in the interpreter an H100's."""
    if device.type != "cuda":
        return 90
    major, minor = torch.cuda.get_device_capability(device)
    return 10 * major + minor


def segment(problem, tokens, tiles, chunk, processors):
    """Tokens of a segment: whole chunks, so many that the segments fill the GPU."""
    most = PROGRAMS * processors // (problem.batch * problem.heads_q * tiles)
    most = min(max(most, 1), MOST_SEGMENTS)
    return triton.cdiv(triton.cdiv(tokens, most), chunk) * chunk


def build(problem, device, options):
    """A differentiable function from q, k, v to out."""
    p = problem
    processors = PROCESSORS
    if device.type == "cuda":
        processors = torch.cuda.get_device_properties(device).multi_processor_count
    heads = p.batch * p.heads_q
    wide = [max(16, triton.next_power_of_2(dim)) for dim in (p.head_dim_qk, p.head_dim_v)]
    own = TILES[max(c for c in TILES if c <= capability(device))]
    chunk, tile, warps, stages = own[max(wide)] if own[max(wide)][1] <= min(wide) else NARROW
    of_d, of_v = (dim // tile for dim in wide)
    per_q, per_k = (
        segment(p, tokens, min(of_d, of_v), chunk, processors) for tokens in (p.seq_q, p.seq_k)
    )
    of_q, of_k = triton.cdiv(p.seq_q, per_q), triton.cdiv(p.seq_k, per_k)
    shape = {
        "D": p.head_dim_qk, "DV": p.head_dim_v, "BD": wide[0], "BV": wide[1], "CHUNK": chunk,
        "TILE": tile, "num_warps": warps, "num_stages": stages,
    }  # fmt: skip
    masked = {"CAUSAL": p.causal, **shape}
    sizes = (p.seq_q, p.seq_k)

    def states(x, y, weight, column, per, segments):
        """S and z of each segment, or U and u where there are weights."""
        state = x.new_empty(heads, segments, *wide, dtype=torch.float32)
        sums = x.new_empty(heads, segments, wide[0], dtype=torch.float32)
        totals[(segments, heads, of_v)](
            x, y, weight, column, state, sums, x.shape[2], per,
            WEIGHTED=weight is not None, **shape,
        )  # fmt: skip
        return state, sums

    class Attention(torch.autograd.Function):
        @staticmethod
        def forward(ctx, q, k, v):
            of_keys = states(k, v, None, None, per_k, of_k)
            out = q.new_empty(p.batch, p.heads_q, p.seq_q, p.head_dim_v)
            norm = q.new_empty(q.shape[:3], dtype=torch.float32)
            outputs[(of_q, heads, of_v)](
                q, k, v, *of_keys, out, norm, *sizes, per_q, of_k, **masked
            )
            ctx.save_for_backward(q, k, v, out, norm, *of_keys)
            return out

        @staticmethod
        def backward(ctx, dout):
            q, k, v, out, norm, *of_keys = ctx.saved_tensors
            dout = dout.contiguous()
            weight = 1 / norm
            column = (dout.float() * out.float()).sum(-1) * weight
            of_queries = states(q, dout, weight, column, per_q, of_q)
            dq, dk, dv = torch.empty_like(q), torch.empty_like(k), torch.empty_like(v)
            given = (q, k, v, dout, weight, column)
            query_gradient[(of_q, heads, of_d)](*given, *of_keys, dq, *sizes, per_q, of_k, **masked)
            key_gradient[(of_k, heads, of_d)](
                *given, *of_queries, dk, *sizes, per_k, of_q, **masked
            )
            value_gradient[(of_k, heads, of_v)](
                q, k, dout, weight, *of_queries, dv, *sizes, per_k, of_q, **masked
            )
            return dq, dk, dv

    return lambda inputs: Attention.apply(inputs["q"], inputs["k"], inputs["v"])
