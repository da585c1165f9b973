"""One file a resource: its paths, what they call, and what they answer."""
