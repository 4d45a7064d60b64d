"""Jobs: requests, creation, actions and responses."""
