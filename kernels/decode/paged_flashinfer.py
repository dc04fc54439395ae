"""FlashInfer's BatchPrefillWithPagedKVCacheWrapper on a decode step (arXiv 2501.01005).

Shapes: q [B, Sq, Hq, D], k_cache and v_cache [pages, page_size, Hkv, D] ("NHD" there), shuffled
pages → out [B, Sq, Hq, D]. It takes any number of new tokens a sequence; its decode wrapper takes
one. ``plan`` gets the pages of each sequence one after another (not a padded table), where each
sequence's begin, and how full its last page is: set-up. ``run`` is what is timed. Causal is aligned
to the bottom right by each sequence's length; a window counts keys to the left of the own position.
"""

import itertools

import torch

LAYOUT = "BSHD"
DTYPES = {"fp16": torch.float16, "bf16": torch.bfloat16}
WORKSPACE = 128 << 20  # bytes, as its documentation advises


def pages_of(problem, device):
    """int32: where each sequence's pages begin [B + 1], all pages, tokens of each last page [B]."""
    size, tables = problem.page_size, problem.page_table
    begins = [0, *itertools.accumulate(map(len, tables))]
    last = [(length - 1) % size + 1 for length in problem.lengths_k]
    lists = (begins, list(itertools.chain(*tables)), last)
    return [torch.tensor(numbers, dtype=torch.int32, device=device) for numbers in lists]


def build(problem, device, options):
    """A function from q and the paged cache to out; the plan is made here."""
    from flashinfer import BatchPrefillWithPagedKVCacheWrapper

    workspace = torch.empty(WORKSPACE, dtype=torch.uint8, device=device)
    wrapper = BatchPrefillWithPagedKVCacheWrapper(workspace, "NHD")
    new = torch.arange(problem.batch + 1, dtype=torch.int32, device=device) * problem.seq_q
    wrapper.plan(
        new,
        *pages_of(problem, device),
        problem.heads_q,
        problem.heads_kv,
        problem.head_dim_qk,
        problem.page_size,
        causal=problem.causal,
        window_left=-1 if problem.window_left is None else problem.window_left,
        logits_soft_cap=problem.softcap or None,
        sm_scale=problem.effective_scale,
        q_data_type=DTYPES[problem.dtype],
    )

    def decode(inputs):
        q = inputs["q"]
        out = wrapper.run(q.flatten(0, 1), (inputs["k_cache"], inputs["v_cache"]))
        return out.view(q.shape)

    return decode
