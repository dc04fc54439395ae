"""Retention: linear attention with a fixed decay a head (RetNet; Sun et al., arXiv 2307.08621)."""
