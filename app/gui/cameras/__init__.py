"""Several cameras in one window."""
