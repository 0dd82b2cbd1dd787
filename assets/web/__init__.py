"""The pages that the WebSocket output serves. They load nothing from anywhere else."""
