"""The root of the service: a page for people, a description for programs."""
