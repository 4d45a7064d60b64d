"""The screens of the stored files, and of one of them."""
