"""FlashInfer's BatchMLAPagedAttentionWrapper: absorbed MLA over a paged latent cache, planned once.

DeepSeek-V2 (arXiv 2405.04434), §2.1.2. Shapes: q [B, Sq, H, 576], kv_cache [pages, page_size, 1,
576] → out [B, Sq, H, 512]: 512 elements are the latent, 64 the rotated part, told as views of the
two. ``plan`` gets each sequence's pages one after another, and its length: set-up; ``run`` is what
is timed. Causal is aligned to the bottom right by each sequence's length. The scale is required:
it is that of the unabsorbed head dim in a model, which no shape here shows.
"""

import itertools

import torch

LAYOUT = "BSHD"
DTYPES = {"fp16": torch.float16, "bf16": torch.bfloat16}
WORKSPACE = 128 << 20  # bytes, as its documentation advises


def supports(problem, device, options):
    """Why FlashInfer can't take the problem, or None."""
    if (problem.head_dim_qk, problem.head_dim_v) != (576, 512):
        return "FlashInfer's MLA is for a latent of 512 and 64 rotated elements"
    return None


def build(problem, device, options):
    """A function from q and the latent cache to out; the plan is made here."""
    from flashinfer import BatchMLAPagedAttentionWrapper

    def int32(numbers):
        return torch.tensor(numbers, dtype=torch.int32, device=device)

    tables, dtype = problem.page_table, DTYPES[problem.dtype]
    workspace = torch.empty(WORKSPACE, dtype=torch.uint8, device=device)
    wrapper = BatchMLAPagedAttentionWrapper(workspace)
    wrapper.plan(
        int32([n * problem.seq_q for n in range(problem.batch + 1)]),
        int32([0, *itertools.accumulate(map(len, tables))]),
        int32(list(itertools.chain(*tables))),
        int32(problem.lengths_k),
        problem.heads_q,
        problem.head_dim_v,
        problem.head_dim_qk - problem.head_dim_v,
        problem.page_size,
        problem.causal,
        problem.effective_scale,
        dtype,
        dtype,
    )
    sizes = [problem.head_dim_v, problem.head_dim_qk - problem.head_dim_v]

    def decode(inputs):
        q, cache = inputs["q"], inputs["kv_cache"].squeeze(2)
        out = wrapper.run(query=q.flatten(0, 1).split(sizes, -1), kv_cache=cache.split(sizes, -1))
        return out.unflatten(0, q.shape[:2])

    return decode
