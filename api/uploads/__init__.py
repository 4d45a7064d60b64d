"""Files that clients send in parts."""
