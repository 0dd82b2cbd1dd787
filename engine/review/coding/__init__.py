"""What a person adds to a recording: codes for what happens, spans to leave out, markers, who is who."""
