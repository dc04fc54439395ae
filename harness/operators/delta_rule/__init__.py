"""The delta rule: a key's old value is replaced, not added to (DeltaNet; arXiv 2406.06484)."""
