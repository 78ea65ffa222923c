"""Labeling, training, reports and tasks that all loops share."""
