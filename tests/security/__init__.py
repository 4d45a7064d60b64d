"""Who may do what, and what hostile clients and inputs can do."""
