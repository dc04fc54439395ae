"""flash_attn_with_kvcache: a decode step over a contiguous or paged cache; ``generation``: 2 or 3.

    2  flash_attn             FlashAttention-2's split-KV kernel (arXiv 2307.08691); pages of 256·n
    3  flash_attn_interface   FlashAttention-3's (arXiv 2407.08608), Hopper; pages of any size

Shapes: q [B, Sq, Hq, D], k_cache and v_cache [B, Sk, Hkv, D], or [pages, page_size, Hkv, D] with a
page_table [B, pages of the longest] → out [B, Sq, Hq, D]. The new tokens' keys stand in the cache
already, so none are appended and no cache is written. Causal is aligned to the bottom right by each
sequence's length: new token i stands at i + length − Sq. A window counts keys to the left of it.
"""

import importlib
import importlib.util

LAYOUT = "BSHD"
MODULES = {2: "flash_attn", 3: "flash_attn_interface"}
TABLES = {2: "block_table", 3: "page_table"}


def supports(problem, device, options):
    """Why this generation can't take the problem here, or None."""
    name = MODULES[options["generation"]]
    return None if importlib.util.find_spec(name) else f"flash-attn here has no {name}"


def build(problem, device, options):
    """A function from q and the cache to out; splits are chosen by the library's heuristic."""
    generation = options["generation"]
    function = importlib.import_module(MODULES[generation]).flash_attn_with_kvcache
    left = -1 if problem.window_left is None else problem.window_left
    more = {
        "softmax_scale": problem.effective_scale,
        "causal": problem.causal,
        "window_size": (left, 0 if problem.causal and left >= 0 else -1),
        "softcap": problem.softcap,
    }
    paged = problem.cache == "paged"

    def decode(inputs):
        table = {TABLES[generation]: inputs["page_table"]} if paged else {}
        caches = (inputs["k_cache"], inputs["v_cache"])
        return function(inputs["q"], *caches, cache_seqlens=inputs["lengths"], **table, **more)

    return decode
