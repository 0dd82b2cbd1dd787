"""The recogniser that ships with Mien: its data, network, training, export and evaluation."""
