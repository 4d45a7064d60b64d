"""The screens on which a browser signs in and out."""
