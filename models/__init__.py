"""How networks are made, trained, measured and exported. Only `mien.engine.inference.bundle` is needed at run time."""
