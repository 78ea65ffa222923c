"""Active learning, `nnpal run`: its workflows, with sampling, selection, labeling and training as tasks."""
