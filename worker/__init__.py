"""The training side: Celery children supervise, a trainer process of their own holds torch,
``worker.training`` is the recipe.
"""
