"""`mien model`: one file a command; torch is imported when they run."""
