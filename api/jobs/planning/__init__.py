"""The plan of a new job: from its request to the rows that are stored."""
