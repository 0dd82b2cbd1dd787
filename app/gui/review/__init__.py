"""The window on a recording."""
