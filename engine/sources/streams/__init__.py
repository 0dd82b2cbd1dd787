"""Network streams: connections that come back, their audio, whom to trust."""
