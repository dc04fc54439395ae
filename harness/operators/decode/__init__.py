"""Attention of new tokens over a KV cache: contiguous or paged, uneven contexts, quantised."""
