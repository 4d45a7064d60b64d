"""The screen of a new job: a file, its profile, the settings, the plan, and the start."""
