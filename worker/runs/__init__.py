"""The way of a run through a slot, from its claim to its recorded outcome.

``claim`` -> ``preparation`` -> ``monitor`` (with ``recorder``, ``lease``) -> ``finalizer`` ->
``transitions``. ``outcomes`` lists how an attempt can end, ``transitions`` what follows from it.
"""
