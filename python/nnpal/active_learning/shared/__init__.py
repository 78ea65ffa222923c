"""What both loops do alike: label, train, report, hand out tasks."""
