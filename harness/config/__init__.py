"""From conf/*.yaml and override strings to composed cells; Hydra's grammar is the interface."""
