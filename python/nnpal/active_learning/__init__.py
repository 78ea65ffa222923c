"""What both loops of active learning are made of: configuration, training and labeling as tasks, `nnpal run`."""
