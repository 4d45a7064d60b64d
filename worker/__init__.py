"""The training side: Celery children claim runs and supervise a trainer process.

Only the trainer imports torch; ``worker.training`` implements the recipe.
"""
