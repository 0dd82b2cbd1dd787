"""Where a live session's numbers go while it runs, beside the recording: one file for each kind."""
