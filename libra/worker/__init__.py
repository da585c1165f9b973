"""The loop on a device: takes jobs, makes the proxy do what they say, replies."""
