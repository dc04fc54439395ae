"""Fused attention in Triton, forward and backward: FlashAttention-2's algorithm.

    Dao 2023 (arXiv 2307.08691), algorithms 1 and 2; softmax with a running maximum: Milakov and
    Gimelshein 2018 (arXiv 1805.02867)

Shapes: q [B, Hq, Sq, D], k, v [B, Hkv, Sk, D] → out [B, Hq, Sq, D]; sinks [Hq]. D is 64, 128 or
256. The Sq × Sk scores never leave the chip:

    forward, a program a tile of rows        backward, two passes over the same tiles
    q tile in registers                      dK, dV: a program a tile of keys, rows stream past
    for each tile of keys it sees:           dQ:     a program a tile of rows, keys stream past
        s = q·kᵀ            (tensor cores)   both rebuild p = exp(s − lse) from the row's
        m, total = running max, sum          log-sum-exp, the one thing the forward pass keeps
        acc = acc·exp(m_old − m) + p·v       (fp32 [B, Hq, Sq]) besides out

Which keys a row sees is one interval, i + Sk − Sq − left … i + Sk − Sq + right (causal: right = 0).
So the tiles that a program walks are three runs: cut by the interval's left edge, whole, cut by its
right edge or by the end of the keys. Tiles outside cost nothing: a window is O(S·W). Forward, only
cut tiles pay for a mask; backward all do, beside five products a tile (three loops in each pass
took more registers than there are). Query heads of a group read the same k and v, which the
second-level cache serves. A sink is one more column of the softmax with its own score and no value.

Numbers inside are base-2: exp(x) is exp2(x·log₂e), which the hardware has. Tiles by head dim stand
in ``TILES``, chosen so that nothing spills on sm_80, sm_90 and sm_100. What is proven is the
algebra, in Triton's interpreter (tests/kernels/test_triton.py): no part of this file has run on a
GPU.
"""

import torch
import triton
import triton.language as tl

LAYOUT = "BHSD"
LOG2E = tl.constexpr(1.4426950408889634)
FAR = tl.constexpr(1 << 30)
"""A window's edge that no key lies beyond; the log-sum-exp of a row that sees nothing."""
TILES = {  # head dim: rows, keys, warps, stages
    "forward": {64: (128, 64, 8, 3), 128: (64, 64, 8, 2), 256: (64, 32, 8, 2)},
    "backward_keys": {64: (32, 64, 4, 2), 128: (32, 64, 8, 2), 256: (32, 32, 8, 1)},
    "backward_rows": {64: (64, 32, 4, 2), 128: (64, 32, 8, 2), 256: (32, 32, 8, 1)},
}


@triton.jit
def _edges(sq, sk, LEFT: tl.constexpr, RIGHT: tl.constexpr):
    """Row i sees keys from i + first up to i + last: bottom-right alignment."""
    return sk - sq - LEFT, sk - sq + RIGHT


@triton.jit
def _lengths(lengths_q, lengths_k, b, SQ, SK, UNEVEN: tl.constexpr):
    """Queries and keys that sequence ``b`` really has."""
    if UNEVEN:
        return tl.load(lengths_q + b), tl.load(lengths_k + b)
    return SQ, SK


@triton.jit
def _runs(start, size, first, last, length, TILE: tl.constexpr):
    """The tiles that ``size`` lines from ``start`` see: begin, first whole, end of whole, end.

    Line i sees i + first … i + last out of ``length``; all four are multiples of TILE but the end.
    """
    begin = tl.maximum(start + first, 0) // TILE * TILE
    end = tl.minimum(start + size + last, length)
    whole = tl.maximum(start + size - 1 + first, 0)
    whole = tl.maximum((whole + TILE - 1) // TILE * TILE, begin)
    past = tl.maximum(tl.minimum(start + last + 1, length) // TILE * TILE, whole)
    return begin, whole, past, end


@triton.jit
def _scores(a, b, i, j, first, last, sk, scale, CAP: tl.constexpr, CUT: tl.constexpr):
    """Scores of a tile in powers of two, −inf where row ``i`` doesn't see key ``j``.

    ``a`` is q and ``b`` k, ``i`` [rows, 1] and ``j`` [1, keys]; or the other way round.
    """
    s = tl.dot(a, tl.trans(b), input_precision="ieee")
    if CAP > 0:
        # tanh(x) = 2σ(2x) − 1
        s = (2 * tl.sigmoid(s * (2 * scale / CAP)) - 1) * (CAP * LOG2E)
    else:
        s = s * (scale * LOG2E)
    if CUT:
        at = j - i
        s = tl.where((at >= first) & (at <= last) & (j < sk), s, float("-inf"))
    return s


@triton.jit
def _attend(
    acc, m, total, q, k_base, v_base, stride_k, stride_v, i, start, stop, first, last, sk, scale,
    KEYS: tl.constexpr, D: tl.constexpr, CAP: tl.constexpr, CUT: tl.constexpr,
):  # fmt: skip
    """Take the tiles from ``start`` to ``stop`` into the running softmax."""
    d = tl.arange(0, D)
    for at in range(start, stop, KEYS):
        j = at + tl.arange(0, KEYS)
        there = (j < sk)[:, None]
        k = tl.load(k_base + j[:, None] * stride_k + d[None, :], mask=there, other=0.0)
        s = _scores(q, k, i[:, None], j[None, :], first, last, sk, scale, CAP, CUT)
        grown = tl.maximum(m, tl.max(s, 1))
        base = tl.where(grown == float("-inf"), 0.0, grown)  # a row that has seen nothing yet
        p = tl.exp2(s - base[:, None])
        shrink = tl.exp2(m - base)
        total = total * shrink + tl.sum(p, 1)
        v = tl.load(v_base + j[:, None] * stride_v + d[None, :], mask=there, other=0.0)
        acc = acc * shrink[:, None]
        acc = tl.dot(p.to(v.dtype), v, acc, input_precision="ieee")
        m = grown
    return acc, m, total


@triton.jit
def forward(
    q, k, v, out, lse, sinks, lengths_q, lengths_k,
    stride_q, stride_k, stride_v, head_q, head_k, head_v, batch_q, batch_k, batch_v,
    SQ, SK, HEADS, GROUP, scale,
    D: tl.constexpr, LEFT: tl.constexpr, RIGHT: tl.constexpr, CAP: tl.constexpr,
    SINKS: tl.constexpr, UNEVEN: tl.constexpr, ROWS: tl.constexpr, KEYS: tl.constexpr,
):  # fmt: skip
    """out and lse of one tile of rows of one head; grid (tiles of rows, B·Hq)."""
    # the last rows of a causal mask see most: begin with them
    tile = tl.num_programs(0) - 1 - tl.program_id(0)
    b, h = tl.program_id(1) // HEADS, tl.program_id(1) % HEADS
    sq, sk = _lengths(lengths_q, lengths_k, b, SQ, SK, UNEVEN)
    first, last = _edges(sq, sk, LEFT, RIGHT)
    i, d = tile * ROWS + tl.arange(0, ROWS), tl.arange(0, D)
    q_base = q + b.to(tl.int64) * batch_q + h.to(tl.int64) * head_q
    k_base = k + b.to(tl.int64) * batch_k + (h // GROUP).to(tl.int64) * head_k
    v_base = v + b.to(tl.int64) * batch_v + (h // GROUP).to(tl.int64) * head_v
    rows = q_base + i[:, None] * stride_q + d[None, :]
    q_tile = tl.load(rows, mask=(i < sq)[:, None], other=0.0)

    m = tl.full([ROWS], float("-inf"), tl.float32)
    total = tl.zeros([ROWS], tl.float32)
    if SINKS:
        m = tl.zeros([ROWS], tl.float32) + tl.load(sinks + h).to(tl.float32) * LOG2E
        total = total + 1.0
    acc = tl.zeros([ROWS, D], tl.float32)
    begin, whole, past, end = _runs(tile * ROWS, ROWS, first, last, sk, KEYS)
    acc, m, total = _attend(
        acc, m, total, q_tile, k_base, v_base, stride_k, stride_v, i, begin, tl.minimum(whole, end),
        first, last, sk, scale, KEYS, D, CAP, True,
    )  # fmt: skip
    acc, m, total = _attend(
        acc, m, total, q_tile, k_base, v_base, stride_k, stride_v, i, whole, past,
        first, last, sk, scale, KEYS, D, CAP, False,
    )  # fmt: skip
    acc, m, total = _attend(
        acc, m, total, q_tile, k_base, v_base, stride_k, stride_v, i, past, end,
        first, last, sk, scale, KEYS, D, CAP, True,
    )  # fmt: skip

    seen = (total > 0) & (i < sq)  # other rows are zero
    acc = tl.where(seen[:, None], acc / tl.where(seen, total, 1.0)[:, None], 0.0)
    row = tl.program_id(1).to(tl.int64) * SQ + i
    o = acc.to(out.dtype.element_ty)
    tl.store(out + row[:, None] * D + d[None, :], o, mask=(i < SQ)[:, None])
    tl.store(lse + row, tl.where(seen, m + tl.log2(tl.where(seen, total, 1.0)), FAR), mask=i < SQ)


@triton.jit
def _score_gradient(a, b, da, db, lse, delta, i, j, first, last, sk, scale, CAP: tl.constexpr):
    """p of a tile, and the gradient of its q·kᵀ: p·(dout·vᵀ − delta)·scale, through the cap.

    ``a`` and ``b`` as in ``_scores``; beside q stands dout, beside k v, beside i lse and delta.
    """
    s = _scores(a, b, i, j, first, last, sk, scale, CAP, True)
    p = tl.exp2(s - lse)
    ds = p * (tl.dot(da, tl.trans(db), input_precision="ieee") - delta)
    if CAP > 0:
        tanh = tl.where(s == float("-inf"), 0.0, s / (CAP * LOG2E))
        ds = ds * (1 - tanh * tanh)
    return p, ds * scale


@triton.jit
def _gather_keys(
    dk, dv, k_tile, v_tile, q_base, do_base, lse, delta, stride_q, j, start, stop,
    first, last, sq, sk, scale,
    ROWS: tl.constexpr, D: tl.constexpr, CAP: tl.constexpr,
):  # fmt: skip
    """What the rows from ``start`` to ``stop`` add to dK and dV of one tile of keys."""
    d = tl.arange(0, D)
    for at in range(start, stop, ROWS):
        i = at + tl.arange(0, ROWS)
        there = i < sq
        q = tl.load(q_base + i[:, None] * stride_q + d[None, :], mask=there[:, None], other=0.0)
        do = tl.load(do_base + i[:, None] * D + d[None, :], mask=there[:, None], other=0.0)
        row_lse = tl.load(lse + i, mask=there, other=FAR)
        row_delta = tl.load(delta + i, mask=there, other=0.0)
        # keys are the rows here, so that p and ds needn't be turned for the products with them
        p, ds = _score_gradient(
            k_tile, q, v_tile, do, row_lse[None, :], row_delta[None, :], i[None, :], j[:, None],
            first, last, sk, scale, CAP,
        )  # fmt: skip
        dv = tl.dot(p.to(do.dtype), do, dv, input_precision="ieee")
        dk = tl.dot(ds.to(q.dtype), q, dk, input_precision="ieee")
    return dk, dv


@triton.jit
def backward_keys(
    q, k, v, dout, lse, delta, dk_out, dv_out, lengths_q, lengths_k,
    stride_q, stride_k, stride_v, head_q, head_k, head_v, batch_q, batch_k, batch_v,
    SQ, SK, HEADS, GROUP, scale,
    D: tl.constexpr, LEFT: tl.constexpr, RIGHT: tl.constexpr, CAP: tl.constexpr,
    UNEVEN: tl.constexpr, ROWS: tl.constexpr, KEYS: tl.constexpr,
):  # fmt: skip
    """dK and dV of one tile of keys, over all query heads of its group; grid (tiles, B·Hkv)."""
    heads_kv = HEADS // GROUP
    b, h_kv = tl.program_id(1) // heads_kv, tl.program_id(1) % heads_kv
    sq, sk = _lengths(lengths_q, lengths_k, b, SQ, SK, UNEVEN)
    first, last = _edges(sq, sk, LEFT, RIGHT)
    n0 = tl.program_id(0) * KEYS
    j, d = n0 + tl.arange(0, KEYS), tl.arange(0, D)
    there = (j < sk)[:, None]
    k_base = k + b.to(tl.int64) * batch_k + h_kv.to(tl.int64) * head_k
    v_base = v + b.to(tl.int64) * batch_v + h_kv.to(tl.int64) * head_v
    k_tile = tl.load(k_base + j[:, None] * stride_k + d[None, :], mask=there, other=0.0)
    v_tile = tl.load(v_base + j[:, None] * stride_v + d[None, :], mask=there, other=0.0)

    # key j is seen by rows j − last … j − first: the same runs with the sides exchanged
    begin, _, _, end = _runs(n0, KEYS, -last, -first, sq, ROWS)
    dk = tl.zeros([KEYS, D], tl.float32)
    dv = tl.zeros([KEYS, D], tl.float32)
    for member in range(GROUP):
        h = h_kv * GROUP + member
        q_base = q + b.to(tl.int64) * batch_q + h.to(tl.int64) * head_q
        line = (b * HEADS + h).to(tl.int64) * SQ
        dk, dv = _gather_keys(
            dk, dv, k_tile, v_tile, q_base, dout + line * D, lse + line, delta + line, stride_q, j,
            begin, end, first, last, sq, sk, scale, ROWS, D, CAP,
        )  # fmt: skip
    row = tl.program_id(1).to(tl.int64) * SK + j
    place = row[:, None] * D + d[None, :]
    dk = tl.where(there, dk, 0.0)  # padding has no gradient
    dv = tl.where(there, dv, 0.0)
    tl.store(dk_out + place, dk.to(dk_out.dtype.element_ty), mask=(j < SK)[:, None])
    tl.store(dv_out + place, dv.to(dv_out.dtype.element_ty), mask=(j < SK)[:, None])


@triton.jit
def _gather_rows(
    q_tile, do_tile, lse, delta, k_base, v_base, stride_k, stride_v, i, start, stop,
    first, last, sk, scale,
    ROWS: tl.constexpr, KEYS: tl.constexpr, D: tl.constexpr, CAP: tl.constexpr,
):  # fmt: skip
    """What the keys from ``start`` to ``stop`` make of dQ of one tile of rows."""
    d = tl.arange(0, D)
    dq = tl.zeros([ROWS, D], tl.float32)
    for at in range(start, stop, KEYS):
        j = at + tl.arange(0, KEYS)
        there = (j < sk)[:, None]
        k = tl.load(k_base + j[:, None] * stride_k + d[None, :], mask=there, other=0.0)
        v = tl.load(v_base + j[:, None] * stride_v + d[None, :], mask=there, other=0.0)
        _, ds = _score_gradient(
            q_tile, k, do_tile, v, lse[:, None], delta[:, None], i[:, None], j[None, :],
            first, last, sk, scale, CAP,
        )  # fmt: skip
        dq = tl.dot(ds.to(k.dtype), k, dq, input_precision="ieee")
    return dq


@triton.jit
def backward_rows(
    q, k, v, dout, lse, delta, dq_out, lengths_q, lengths_k,
    stride_q, stride_k, stride_v, head_q, head_k, head_v, batch_q, batch_k, batch_v,
    SQ, SK, HEADS, GROUP, scale,
    D: tl.constexpr, LEFT: tl.constexpr, RIGHT: tl.constexpr, CAP: tl.constexpr,
    UNEVEN: tl.constexpr, ROWS: tl.constexpr, KEYS: tl.constexpr,
):  # fmt: skip
    """dQ of one tile of rows of one head; grid (tiles of rows, B·Hq)."""
    tile = tl.num_programs(0) - 1 - tl.program_id(0)
    b, h = tl.program_id(1) // HEADS, tl.program_id(1) % HEADS
    sq, sk = _lengths(lengths_q, lengths_k, b, SQ, SK, UNEVEN)
    first, last = _edges(sq, sk, LEFT, RIGHT)
    i, d = tile * ROWS + tl.arange(0, ROWS), tl.arange(0, D)
    there = i < sq
    q_base = q + b.to(tl.int64) * batch_q + h.to(tl.int64) * head_q
    k_base = k + b.to(tl.int64) * batch_k + (h // GROUP).to(tl.int64) * head_k
    v_base = v + b.to(tl.int64) * batch_v + (h // GROUP).to(tl.int64) * head_v
    line = tl.program_id(1).to(tl.int64) * SQ
    place = (line + i)[:, None] * D + d[None, :]
    q_tile = tl.load(q_base + i[:, None] * stride_q + d[None, :], mask=there[:, None], other=0.0)
    do_tile = tl.load(dout + place, mask=there[:, None], other=0.0)
    row_lse = tl.load(lse + line + i, mask=there, other=FAR)
    row_delta = tl.load(delta + line + i, mask=there, other=0.0)

    begin, _, _, end = _runs(tile * ROWS, ROWS, first, last, sk, KEYS)
    dq = _gather_rows(
        q_tile, do_tile, row_lse, row_delta, k_base, v_base, stride_k, stride_v, i,
        begin, end, first, last, sk, scale, ROWS, KEYS, D, CAP,
    )  # fmt: skip
    dq = tl.where(there[:, None], dq, 0.0)
    tl.store(dq_out + place, dq.to(dq_out.dtype.element_ty), mask=(i < SQ)[:, None])


def settings(problem):
    """The constants that a problem's kernels are compiled with, tiles apart."""
    far = FAR.value
    left, right = problem.window_left, problem.window_right
    right = 0 if problem.causal else right
    return {
        "D": problem.head_dim_qk,
        "LEFT": far if left is None else left,
        "RIGHT": far if right is None else right,
        "CAP": float(problem.softcap),
        "UNEVEN": bool(problem.lengths),
    }


def build(problem, device, options):
    """A differentiable function from q, k, v (and sinks) to out."""
    p, constants = problem, settings(problem)
    tiles = {
        name: dict(
            zip(("ROWS", "KEYS", "num_warps", "num_stages"), tile[p.head_dim_qk], strict=True)
        )
        for name, tile in TILES.items()
    }
    sizes = (p.seq_q, p.seq_k, p.heads_q, p.group, p.effective_scale)
    lengths = None, None
    if p.lengths:
        lengths = tuple(
            torch.tensor(n, dtype=torch.int32, device=device) for n in (p.lengths_q, p.lengths_k)
        )

    def strides(q, k, v):
        return tuple(t.stride(axis) for axis in (2, 1, 0) for t in (q, k, v))

    class Attention(torch.autograd.Function):
        @staticmethod
        def forward(ctx, q, k, v, sinks):
            out = torch.empty_like(q)
            lse = torch.empty(q.shape[:3], dtype=torch.float32, device=q.device)
            ahead = tiles["forward"]
            grid = (triton.cdiv(p.seq_q, ahead["ROWS"]), p.batch * p.heads_q)
            forward[grid](
                q, k, v, out, lse, sinks, *lengths, *strides(q, k, v), *sizes,
                SINKS=sinks is not None, **constants, **ahead,
            )  # fmt: skip
            ctx.save_for_backward(q, k, v, sinks, out, lse)
            return out

        @staticmethod
        def backward(ctx, dout):
            q, k, v, sinks, out, lse = ctx.saved_tensors
            dout = dout.contiguous()
            delta = (dout.float() * out.float()).sum(-1)
            dq, dk, dv = torch.empty_like(q), torch.empty_like(k), torch.empty_like(v)
            common = (*lengths, *strides(q, k, v), *sizes)
            back = tiles["backward_keys"]
            grid = (triton.cdiv(p.seq_k, back["KEYS"]), p.batch * p.heads_kv)
            backward_keys[grid](q, k, v, dout, lse, delta, dk, dv, *common, **constants, **back)
            back = tiles["backward_rows"]
            grid = (triton.cdiv(p.seq_q, back["ROWS"]), p.batch * p.heads_q)
            backward_rows[grid](q, k, v, dout, lse, delta, dq, *common, **constants, **back)
            dsinks = None
            if sinks is not None:  # the column has no value: only what it takes from the others
                share = torch.exp2(sinks.float()[:, None] * LOG2E.value - lse)
                dsinks = -(share * delta).sum((0, 2)).to(sinks.dtype)
            return dq, dk, dv, dsinks

    return lambda inputs: Attention.apply(
        inputs["q"], inputs["k"], inputs["v"], inputs.get("sinks")
    )
