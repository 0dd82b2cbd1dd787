"""The window's live view."""
