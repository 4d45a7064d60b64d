"""What the service runs on: settings, queue, blob storage, logs, child processes, network.

``settings`` has every ``EVENKEEL_*`` variable, with its default.
"""
