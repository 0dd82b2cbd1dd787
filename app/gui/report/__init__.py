"""The report of a recording, drawn for paper and for a browser."""
