"""What is written to disk: MP4, CSV and JSON, and their repair."""
