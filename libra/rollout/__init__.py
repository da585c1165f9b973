"""Changes every node of a group, a few at a time, while the others serve: for the command line and for programs."""
