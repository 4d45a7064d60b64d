"""The screen of what was trained, and of what takes the room."""
