"""What both loops of active learning are made of: configuration, training and labelling as tasks, `nnpal run`."""
