"""Data sets and result files: upload, checks, preview, download and deletion."""
