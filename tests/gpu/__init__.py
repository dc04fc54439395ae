"""What only a GPU can show. ``make gpu-check`` runs it; torch, numpy, yaml, pytest are enough."""
