"""What holds for every test."""

import os

from hypothesis import settings

# One Swift for the whole run, whichever modules ask for it.
from tests.support.swift import container, swift, swift_cluster  # noqa: F401

# No deadlines: the machine is shared. In CI the same examples in every run.
settings.register_profile("local", deadline=None, max_examples=100)
settings.register_profile("ci", deadline=None, max_examples=100, derandomize=True, print_blob=True)
settings.load_profile("ci" if os.environ.get("CI") else "local")
