"""FlashInfer's BatchPrefillWithRaggedKVCacheWrapper: packed sequences, planned once.

arXiv 2501.01005. Shapes: q [T, Hq, D], k and v [T, Hkv, D] → out [T, Hq, D], where T counts the
actual tokens of all sequences; packed documents are sequences of their own. ``plan`` (lengths,
heads, mask, scale; it compiles the kernel where no binary is there) is set-up, ``run`` is what is
timed. Causal is aligned to the bottom right of each sequence; a window is ``window_left`` keys
beside the own position, with no bound on the right but causal's. FlashInfer has no backward pass.
"""

import itertools

import torch

LAYOUT = "THD"
DTYPES = {"fp16": torch.float16, "bf16": torch.bfloat16}
WORKSPACE = 128 << 20  # bytes, as its documentation advises


def supports(problem, device, options):
    """Why FlashInfer can't take the problem, or None."""
    if problem.window_right is not None:
        return "FlashInfer bounds a window on the left alone"
    return None


def lengths_of(problem):
    """(query lengths, key lengths) of everything that attends within itself."""
    starts = problem.document_starts
    if starts is None:
        return problem.lengths_q, problem.lengths_k
    each = [end - start for start, end in itertools.pairwise((*starts, problem.seq_k))]
    return each * problem.batch, each * problem.batch


def edges(lengths, device):
    """[N + 1] int32: where each sequence starts, and the end of the last."""
    return torch.tensor([0, *itertools.accumulate(lengths)], dtype=torch.int32, device=device)


def build(problem, device, options):
    """A function from packed q, k, v to out; the plan is made here."""
    from flashinfer import BatchPrefillWithRaggedKVCacheWrapper

    workspace = torch.empty(WORKSPACE, dtype=torch.uint8, device=device)
    wrapper = BatchPrefillWithRaggedKVCacheWrapper(workspace, "NHD")
    wrapper.plan(
        *(edges(lengths, device) for lengths in lengths_of(problem)),
        problem.heads_q,
        problem.heads_kv,
        problem.head_dim_qk,
        causal=problem.causal,
        window_left=-1 if problem.window_left is None else problem.window_left,
        logits_soft_cap=problem.softcap or None,
        sm_scale=problem.effective_scale,
        q_data_type=DTYPES[problem.dtype],
    )

    def attention(inputs):
        return wrapper.run(inputs["q"], inputs["k"], inputs["v"])

    return attention
