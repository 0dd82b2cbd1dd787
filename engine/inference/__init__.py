"""Model bundles, and what runs them."""
