"""Changes every node of a group, a few at a time, while the others serve: for the command line and for programs."""

from libra.rollout.function import RolloutStopped, rollout
from libra.rollout.templates import Node

__all__ = ["Node", "RolloutStopped", "rollout"]
