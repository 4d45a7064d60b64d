"""Base models of the Hugging Face hub: ``owner/name`` at a commit, downloaded once per disk.

1. ``ids`` parses IDs and decides which of them this installation allows.
2. ``session`` bounds what ``huggingface_hub`` requests: hosts, bytes, time.
3. ``client`` asks the hub for a commit, its files and its config.json, and downloads files.
4. ``needed_files`` selects the files that training needs, and refuses pickles.
5. ``resolution`` turns an ID and a revision into the ``HubModel`` that a job stores.
6. ``cache`` is the folder of downloaded models; ``download`` fills it.

Nothing here needs torch. ``docs/decisions/0025-models-of-the-hub.md`` has the reasons.
"""
