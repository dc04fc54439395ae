"""softmax(q·kᵀ·scale + mask)·v: MHA, GQA, MQA and cross-attention (Vaswani et al. 2017, §3.2.1)."""
