"""Published and own weights, read safely."""
