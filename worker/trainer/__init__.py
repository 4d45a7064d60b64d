"""The trainer: a child process of a slot that imports torch and trains on command.

``process`` is the slot's side, ``service`` the trainer's side, ``protocol`` what they exchange.
"""
