"""Many sources in one process: one model for all, one session for each."""
