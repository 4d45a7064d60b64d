"""Terms that all parts share: states, tasks, ids, errors, and the values in JSON columns.

No module here reads a file, a database or a setting.
"""
