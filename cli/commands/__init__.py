"""The words of the command line: what each takes and says of itself. What it does is in a
module of ``cli`` that it imports when called.
"""
