"""ALiBi's slopes (Press et al., arXiv 2108.12409, §3): a bias of −slope·|p − j| on the scores."""

from __future__ import annotations

from functools import lru_cache


@lru_cache(maxsize=256)
def alibi_slopes(heads: int) -> tuple[float, ...]:
    """One slope a query head, falling geometrically from 2^(−8/heads) to 2^−8.

    For a number of heads that is no power of two: the slopes of the power below it, then every
    other one of the power above, as the paper's code does (ofirpress/attention_with_linear_biases,
    fairseq/models/transformer.py, get_slopes).
    """
    power = 1 << (heads.bit_length() - 1)
    slopes = [2.0 ** (-8.0 * (head + 1) / power) for head in range(power)]
    if power != heads:
        slopes += alibi_slopes(2 * power)[0::2][: heads - power]
    return tuple(slopes)
