"""The commands' names, parameters and help texts. Each command imports its implementation from
another module of ``cli`` when it is called.
"""
