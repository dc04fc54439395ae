"""PaTH attention: softmax attention whose positions are products of Householder-like steps."""
