"""RWKV-7 in chunks: what each token adds to the state solves a triangular system a chunk.

    u = aᵀS before each token:  (I − A_ab)·u = A_ak·V + (a·e^(G−w))·S
    out = A_rb·u + A_rk·V + (r·e^G)·S    S = diag(e^G_last)·S + (b·e^(G_last−G))ᵀu + (k·…)ᵀV

with G = w summed in the chunk, and A_xy[i, j] the products of x_i and y_j decayed from j to i.
Peng et al. 2025 (arXiv 2503.14456), §4; the triangular (UT) transform as in arXiv 2406.06484.
Shapes: r, w, k, v, a, b [B, H, S, D] → out [B, H, S, D]. Option ``chunk``: tokens of a chunk.
"""

import torch
from torch.nn import functional as F

LAYOUT = "BHSD"


def in_chunks(x, chunk):
    """[B, H, S, D] → [B, H, chunks, chunk, D], with rows of zeros after the last token."""
    x = F.pad(x, (0, 0, 0, -x.shape[2] % chunk))
    return x.unflatten(2, (-1, chunk))


def decayed(x, exponent):
    """x·e^exponent, channel by channel."""
    return x * exponent.exp()


def build(problem, device, options):
    """A differentiable function from r, w, k, v, a, b to out."""
    chunk, tokens = min(options["chunk"], problem.seq_q), problem.seq_q

    def attention(inputs):
        dtype = inputs["r"].dtype
        wide = torch.promote_types(dtype, torch.float32)
        r, w, k, v, a, b = (
            in_chunks(inputs[n].to(wide), chunk) for n in ("r", "w", "k", "v", "a", "b")
        )
        total = w.cumsum(-2)
        last, before = total[..., -1:, :], total - w
        # Decays between two tokens as a quotient, so that pairs are matrix products. Taken from the
        # middle of the chunk: w > −e^-½ in RWKV-7, so no factor of 32 tokens is above e^9.8.
        middle = last / 2
        a_in, r_in = decayed(a, before - middle), decayed(r, total - middle)
        b_in, k_in = decayed(b, middle - total).mT, decayed(k, middle - total).mT
        system = -(a_in @ b_in).tril(-1)  # the unit diagonal is implied
        known = torch.cat([(a_in @ k_in).tril(-1) @ v, decayed(a, before)], -1)
        solved = torch.linalg.solve_triangular(system, known, upper=False, unitriangular=True)
        own, of_state = solved.split([v.shape[-1], a.shape[-1]], -1)
        read_u, read_v = (r_in @ b_in).tril(), (r_in @ k_in).tril() @ v
        left = (last - total).exp()
        queries, added = r * total.exp(), (k * left).mT @ v
        to_state, kept = (b * left).mT, last.exp().mT
        state, outs = torch.zeros_like(added[:, :, 0]), []
        for n in range(added.shape[2]):
            u = own[:, :, n] + of_state[:, :, n] @ state
            outs.append(read_v[:, :, n] + read_u[:, :, n] @ u + queries[:, :, n] @ state)
            state = state * kept[:, :, n] + added[:, :, n] + to_state[:, :, n] @ u
        return torch.cat(outs, 2)[:, :, :tokens].to(dtype)

    return attention
