"""KV caches of whole models by formula: what sharing heads, compressing and quantising save.

    for cache in caches():
        cache.total_bytes(131_072), cache.longest(80e9)

The formulas are the operators' own (``kv_cache_bytes``), times the model's layers. Models' facts
are those of their published config.json.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from harness.model import Problem
from harness.operators import cost_model


@dataclass(frozen=True)
class Cache:
    """The cache of one model, as it is or as it would be with other heads."""

    name: str
    """Model and scheme."""
    scheme: str
    """MHA, GQA, MQA or MLA."""
    layers: int
    """Layers that keep a cache."""
    problem: Problem
    """One layer's decoding step; its context is what ``tokens`` says."""
    source: str
    """Where the model's sizes are from."""

    def total_bytes(self, tokens: int) -> int:
        """Bytes of all layers for one sequence of ``tokens``."""
        sized = replace(self.problem, seq_k=tokens)
        return self.layers * cost_model(sized.operator).kv_cache_bytes(sized)

    @property
    def bytes_per_token(self) -> float:
        """Of all layers."""
        return (self.total_bytes(2048) - self.total_bytes(1024)) / 1024

    def longest(self, memory_bytes: float) -> int:
        """Tokens whose cache alone fills ``memory_bytes``."""
        return int(memory_bytes / self.bytes_per_token)


def _decode(heads_q: int, heads_kv: int, dim: int, **more: object) -> Problem:
    facts: dict[str, object] = {"head_dim_qk": dim, "head_dim_v": dim, "dtype": "bf16"}
    facts |= {
        "operator": "decode",
        "causal": True,
        "cache": "contiguous",
        "seq_q": 1,
        "seq_k": 1024,
    }
    return Problem(heads_q=heads_q, heads_kv=heads_kv, **(facts | more))  # type: ignore[arg-type]


def caches() -> list[Cache]:
    """Llama-3 8B and DeepSeek-V3 as they are, and with the heads and types of the alternatives."""
    llama = "meta-llama/Meta-Llama-3-8B config.json: 32 layers, 32 query and 8 KV heads of 128"
    deepseek = (
        "deepseek-ai/DeepSeek-V3 config.json: 61 layers, 128 heads of 192 (K) and 128 (V), "
        "latent 512 + 64 rotated"
    )
    mha = _decode(128, 128, 192, head_dim_v=128)
    mla = _decode(128, 1, 576, head_dim_v=512, operator="mla", scale=192**-0.5)
    return [
        Cache("DeepSeek-V3 if it were MHA", "MHA", 61, mha, deepseek),
        Cache("DeepSeek-V3, MLA", "MLA", 61, mla, deepseek),
        Cache("Llama-3 8B if it were MHA", "MHA", 32, _decode(32, 32, 128), llama),
        Cache("Llama-3 8B, GQA", "GQA", 32, _decode(32, 8, 128), llama),
        Cache("Llama-3 8B, GQA, int8", "GQA", 32, _decode(32, 8, 128, kv_dtype="int8"), llama),
        Cache("Llama-3 8B if it were MQA", "MQA", 32, _decode(32, 1, 128), llama),
    ]
