"""The delta rule on a state that decays first (Gated DeltaNet; Yang et al., arXiv 2412.06464)."""
