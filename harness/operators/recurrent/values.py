"""Ranges that several operators draw an input from, made of N(0,1) numbers."""

from __future__ import annotations

from torch.nn.functional import normalize

from harness.operators.recurrent.family import Value


def unit(stream: str) -> Value:
    """Rows of norm 1, uniform on the sphere."""
    return lambda normal: normalize(normal(stream), dim=-1)


def log_decay(stream: str) -> Value:
    """−exp(0.8·N(0,1) − 2.5): half of them between −0.14 and −0.05, all below 0.

    The range of Δ·A as Mamba-2 begins training: Δ log-uniform in 1e-3 … 0.1, A in 1 … 16.
    """
    return lambda normal: -(0.8 * normal(stream) - 2.5).exp()
