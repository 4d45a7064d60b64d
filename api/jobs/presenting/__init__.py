"""Responses about existing jobs: the job object, its cache and its event stream."""
