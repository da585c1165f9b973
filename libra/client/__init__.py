"""Speaking to the REST API: for the commands, and for other programs' own use."""
