"""Classification of texts and files with published models."""
