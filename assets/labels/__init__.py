"""Class names and what they look like, as readable text."""
