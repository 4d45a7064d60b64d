"""Hostile clients: attacks on an API process of their own, and what these cost everybody else.

``target`` is the attacked process, ``bystander`` an honest client beside the attack, ``memory``
watches the process, ``attack`` says what an attack is; ``sockets``, ``requests`` and ``keys`` have
the attacks.
"""
