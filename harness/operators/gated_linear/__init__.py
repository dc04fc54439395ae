"""Gated linear attention: a decay for every key channel and token (GLA, arXiv 2312.06635)."""
