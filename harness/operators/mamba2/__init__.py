"""Mamba-2's state-space duality: one decay a token and head (Dao and Gu, arXiv 2405.21060)."""
