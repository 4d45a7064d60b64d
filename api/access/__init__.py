"""Who may send a request, and how many: checked on its headers, before its body is read.

``hosts`` knows the names of the service, ``origin`` refuses cross-site requests, ``key_directory``
knows the keys, ``key_throttle`` slows down guesses, ``rate_limit`` bounds the requests of an owner,
``scopes`` says what a request needs, ``control`` puts them together.
"""
