"""``make soak``: a sweep whose actors, nodes and driver are killed at random, again and again."""
