"""What the recurrent operators share: counts, seeded inputs, the scan in fp64, gates, cases.

A recurrent operator keeps a state of head_dim_qk × head_dim_v numbers a head in place of a KV
cache, updates it once a token and reads it with the token's query. Its own folder says the rest:
which inputs it takes, in which ranges, and the one step of its recurrence.
"""
