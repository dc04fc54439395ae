"""The true signatures of the libraries that kernels adapt, and the tool that reads them."""
