"""RWKV-6: a decay a channel and token, a bonus for the token itself (arXiv 2404.05892)."""
