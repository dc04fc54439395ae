"""Linear attention, φ(x) = elu(x) + 1, causal or not (Katharopoulos et al., arXiv 2006.16236)."""
