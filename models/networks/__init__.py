"""The networks, and the parts that they are put together from."""
