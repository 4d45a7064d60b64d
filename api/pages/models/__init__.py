"""The screen of the models, and the deletion of one."""
