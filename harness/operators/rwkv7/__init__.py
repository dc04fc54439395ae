"""RWKV-7: a decaying state with a delta rule of its own (Peng et al., arXiv 2503.14456)."""
