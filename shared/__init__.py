"""Code that the API, the worker and the command line share. No module here imports torch.

``domain`` has the terms and errors, ``db`` all queries, ``infra`` the settings, the queue and the
storage. ``datasets`` reads files, ``recipe`` resolves the training settings, ``encoders`` describes
base models, ``metrics`` scores predictions, and ``report`` builds reports from scores.
"""
