"""Web clusters: what callers do with them."""
