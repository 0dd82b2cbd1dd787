"""Lab Streaming Layer: streams for other programs, kept on this machine unless the network is wanted."""
