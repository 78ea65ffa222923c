"""tutorial_rare_events.md"""
