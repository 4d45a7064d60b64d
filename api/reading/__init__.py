"""Reading of users' files in child processes, so that no file delays other requests."""
