"""Where frames come from: files, cameras, network streams, the demo."""
