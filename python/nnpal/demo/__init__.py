"""The demos: a rare-event workflow for n-butane, and a potential for aluminum without active learning."""
