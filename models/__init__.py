"""How networks are made, trained, measured and exported. Only `models.bundle` is needed at run time."""
