"""The HTTP server below the application: what a connection may cost before there is a request.

``protocol`` bounds each connection (``progress``: how slow its client may be), ``connections`` all
of them together, ``descriptors`` sees that the process may open as many, and ``server`` puts them
together for Uvicorn.
"""
