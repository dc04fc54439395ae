"""Problem: what is computed, complete. Two kernels compare only on the same Problem."""

from __future__ import annotations

from dataclasses import dataclass, fields
from functools import cached_property
from typing import Any

from harness.errors import InvalidProblem
from harness.model.alibi import alibi_slopes
from harness.model.identity import digest, non_default_fields
from harness.model.lengths import sequence_lengths
from harness.model.pages import page_table
from harness.model.patterns import BlockTable, bigbird_table, document_starts, random_table

DTYPE_BYTES = {
    "fp64": 8,
    "fp32": 4,
    "tf32": 4,
    "fp16": 2,
    "bf16": 2,
    "fp8_e4m3": 1,
    "fp8_e5m2": 1,
    "int8": 1,
}
"""Bytes an element takes in memory. tf32 is fp32 storage multiplied on tensor cores."""

DIRECTIONS = ("forward", "backward", "forward_backward")
"""forward alone; backward alone (its forward untimed); both in one timed call."""

SHOWN = ("stride", "local", "block", "keep", "documents")
"""Parameters of a pattern that ``summary`` shows."""

Params = tuple[tuple[str, int | float | str | bool], ...]
"""Operator-specific parameters, sorted by name: hashable, and one order for one meaning."""


def params_of(mapping: dict[str, Any] | None) -> Params:
    """Sort a mapping into ``Params``, leaving out what is None."""
    return tuple(sorted((k, v) for k, v in (mapping or {}).items() if v is not None))


@dataclass(frozen=True)
class Problem:
    """One attention problem. Sizes are counts; the conventions are those of FIELD.md §3.

    With p = i + seq_k − seq_q the position of query i on the keys' axis, ``causal`` sees j ≤ p
    (bottom-right aligned), ``window_left`` sees j ≥ p − window_left and ``window_right`` sees
    j ≤ p + window_right. A row that sees no key gives 0.
    """

    heads_q: int
    """Query heads."""
    heads_kv: int
    """Key/value heads; heads_q is a multiple of it (equal: MHA, 1: MQA, between: GQA)."""
    seq_q: int
    """Query tokens of one sequence."""
    seq_k: int
    """Key/value tokens of one sequence."""
    head_dim_qk: int
    """Elements of one query or key head."""
    head_dim_v: int
    """Elements of one value head."""
    dtype: str
    """Element type of queries and outputs, a key of DTYPE_BYTES."""
    operator: str = "attention"
    """What is computed: the name of a folder in harness/operators."""
    batch: int = 1
    """Sequences."""
    kv_dtype: str = ""
    """Element type of keys and values where it isn't ``dtype``; "" means the same."""
    causal: bool = False
    """Bottom-right aligned causal mask."""
    window_left: int | None = None
    """Keys to the left of a query's own position that it sees; None: all."""
    window_right: int | None = None
    """Keys to the right of a query's own position that it sees; None: all. Not with causal."""
    pattern: str = ""
    """A sparse pattern on top of causal (harness/model/patterns.py); "" is dense.

    strided is causal by itself; document takes windows too.
    """
    scale: float | None = None
    """Factor on the scores; None: head_dim_qk ** -0.5."""
    softcap: float = 0.0
    """Scores become softcap · tanh(score / softcap); 0: off."""
    sinks: bool = False
    """A learned logit per query head joins the softmax's denominator (gpt-oss)."""
    direction: str = "forward"
    """One of DIRECTIONS."""
    cache: str = ""
    """KV-cache layout: contiguous or paged; "" means keys and values are no cache."""
    page_size: int = 0
    """Tokens of one page of a paged cache; 0 where there are no pages."""
    lengths: str = ""
    """Distribution of the sequences' actual lengths (harness/model/lengths.py); "": all full."""
    lengths_seed: int = 0
    """Seed of that distribution, and of the shuffle of a paged cache's pages."""
    params: Params = ()
    """Operator- or pattern-specific parameters, sorted by name; alibi is one of attention's."""

    def __post_init__(self) -> None:
        for name in ("batch", "heads_q", "heads_kv", "seq_q", "seq_k", "head_dim_qk", "head_dim_v"):
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, int) or value < 1:
                raise InvalidProblem(f"{name} must be a whole number of at least 1, not {value!r}")
        if self.heads_q % self.heads_kv:
            raise InvalidProblem(
                f"heads_q={self.heads_q} is not a multiple of heads_kv={self.heads_kv}: "
                "every key/value head serves the same number of query heads"
            )
        for name in ("dtype", "kv_dtype"):
            value = getattr(self, name)
            if value not in DTYPE_BYTES and not (name == "kv_dtype" and value == ""):
                raise InvalidProblem(f"{name}={value!r} is not one of {', '.join(DTYPE_BYTES)}")
        for name in ("scale", "softcap"):  # 30 and 30.0 are one problem, and so one key
            if isinstance(getattr(self, name), int):
                object.__setattr__(self, name, float(getattr(self, name)))
        if self.kv_dtype == self.dtype:
            object.__setattr__(self, "kv_dtype", "")
        if self.direction not in DIRECTIONS:
            raise InvalidProblem(
                f"direction={self.direction!r} is not one of {', '.join(DIRECTIONS)}"
            )
        if ("alibi", False) in self.params:  # off is the same problem as not mentioned
            kept = tuple(entry for entry in self.params if entry != ("alibi", False))
            object.__setattr__(self, "params", kept)
        self._check_mask()

    def _check_mask(self) -> None:
        for name in ("window_left", "window_right"):
            value = getattr(self, name)
            if value is not None and value < 0:
                raise InvalidProblem(f"{name} must be 0 or more keys, or null for all, not {value}")
        if self.causal and self.window_right is not None:
            raise InvalidProblem(
                f"causal=true sees nothing to the right, so window_right={self.window_right} "
                "can't be given with it"
            )
        if not 0 <= self.softcap < float("inf"):
            raise InvalidProblem(f"softcap must be 0 (off) or positive, not {self.softcap}")
        if self.scale is not None and not self.scale > 0:
            raise InvalidProblem(f"scale must be positive or null, not {self.scale}")
        if self.pattern == "strided":  # its formula says j ≤ p
            object.__setattr__(self, "causal", True)
        if self.window_right == 0:  # sees j ≤ p: that is what causal means, so it is one problem
            object.__setattr__(self, "causal", True)
            object.__setattr__(self, "window_right", None)

    @property
    def mask(self) -> str:
        """The mask's kind, as kernels claim it: full, causal, causal_window, window, a pattern."""
        if self.pattern:
            return self.pattern
        windowed = self.window_left is not None or self.window_right is not None
        if self.causal:
            return "causal_window" if windowed else "causal"
        return "window" if windowed else "full"

    @property
    def group(self) -> int:
        """Query heads that share one key/value head."""
        return self.heads_q // self.heads_kv

    @property
    def effective_scale(self) -> float:
        """The factor on the scores, with its default filled in."""
        return self.head_dim_qk**-0.5 if self.scale is None else self.scale

    @property
    def alibi(self) -> bool:
        """Whether −slope·|p − j| is added to the scores, after any softcap (arXiv 2108.12409)."""
        return bool(self.param("alibi"))

    @property
    def alibi_slopes(self) -> tuple[float, ...]:
        """ALiBi's slope of each query head."""
        return alibi_slopes(self.heads_q)

    @property
    def lengths_k(self) -> tuple[int, ...]:
        """Actual key tokens of each sequence, at most seq_k; the first has seq_k."""
        return sequence_lengths(self.lengths, self.lengths_seed, self.batch, self.seq_k)

    @property
    def page_table(self) -> tuple[tuple[int, ...], ...] | None:
        """Of a paged cache: the pages of each sequence, in its tokens' order; else None."""
        if self.cache != "paged":
            return None
        return page_table(self.lengths_k, self.page_size, self.lengths_seed)

    @property
    def lengths_q(self) -> tuple[int, ...]:
        """Actual query tokens of each sequence: as its keys', or drawn apart where seq_q ≠ seq_k.

        Padded layouts hold the tokens first; query i stands at p = i + its length_k − length_q.
        """
        if self.seq_q == self.seq_k:
            return self.lengths_k
        return sequence_lengths(self.lengths, self.lengths_seed, self.batch, self.seq_q, "q")

    @property
    def block_table(self) -> BlockTable | None:
        """Of a block pattern: the key blocks that each query block sees, else None.

        Blocks are params.block tokens; with ``causal`` a pair within them must have j ≤ p too.
        """
        if self.pattern not in ("bigbird", "block_sparse"):
            return None
        given = dict(self.params)
        blocks = -(-self.seq_k // int(given["block"]))
        if self.pattern == "block_sparse":
            return random_table(blocks, float(given["keep"]), int(given["seed"]), self.causal)
        counts = (int(given[name]) for name in ("global_blocks", "window_blocks", "random_blocks"))
        return bigbird_table(blocks, *counts, seed=int(given["seed"]), causal=self.causal)

    @property
    def document_starts(self) -> tuple[int, ...] | None:
        """First token of each document packed into a sequence, ascending; None: not packed."""
        if self.pattern != "document":
            return None
        given = dict(self.params)
        return document_starts(self.seq_k, int(given["documents"]), int(given["seed"]))

    @property
    def kv_element_bytes(self) -> int:
        """Bytes of one element of a key or value."""
        return DTYPE_BYTES[self.kv_dtype or self.dtype]

    @property
    def element_bytes(self) -> int:
        """Bytes of one element of a query or output."""
        return DTYPE_BYTES[self.dtype]

    @cached_property
    def identity(self) -> dict[str, Any]:
        """What is hashed: the fields that differ from their defaults."""
        return non_default_fields(self)

    @cached_property
    def key(self) -> str:
        """The problem's identity as a short hash."""
        return digest(self.identity)

    def param(self, name: str, default: Any = None) -> Any:
        """One operator-specific parameter, or ``default``."""
        return dict(self.params).get(name, default)

    def to_dict(self) -> dict[str, Any]:
        """All fields as plain JSON values; ``from_dict`` is its inverse."""
        out = {f.name: getattr(self, f.name) for f in fields(self)}
        out["params"] = dict(self.params)
        return out

    @classmethod
    def from_dict(cls, data: dict[str, Any]) -> Problem:
        """Build from ``to_dict``'s result, or from a part of it that has the required fields."""
        data = dict(data)
        data["params"] = params_of(data.get("params"))
        return cls(**data)

    def summary(self) -> str:
        """A short human text, e.g. ``B1 H32/8 S2048 D128 bf16 causal fwd``.

        A window stands behind its mask, keys kept to the left and to the right of the own one:
        ``causal_window[4095:0]``, ``window[128:64]``, ``window[:64]`` where a side sees all.
        """
        seq = f"{self.seq_q}" if self.seq_q == self.seq_k else f"{self.seq_q}×{self.seq_k}"
        heads = f"{self.heads_q}" if self.group == 1 else f"{self.heads_q}/{self.heads_kv}"
        dim = f"{self.head_dim_qk}"
        if self.head_dim_v != self.head_dim_qk:
            dim += f"-{self.head_dim_v}"
        short = {"forward": "fwd", "backward": "bwd", "forward_backward": "fwd+bwd"}
        mask = self.mask
        if self.window_left is not None or self.window_right is not None:
            sides = (self.window_left, 0 if self.causal else self.window_right)
            mask += "[{}:{}]".format(*("" if side is None else side for side in sides))
        parts = [f"B{self.batch}", f"H{heads}", f"S{seq}", f"D{dim}", self.dtype, mask]
        if self.softcap:
            parts.append(f"softcap{self.softcap:g}")
        if self.cache:
            parts.append(f"{self.cache}{self.page_size or ''}")
        if self.kv_dtype:
            parts.append(f"kv:{self.kv_dtype}")
        parts += [f"{name}{value:g}" for name, value in self.params if name in SHOWN]
        parts += [name for name in ("sinks", "alibi", "lengths") if getattr(self, name)]
        return " ".join([*parts, short[self.direction]])
