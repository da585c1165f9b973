"""Rollouts, the newest first, and one of them node by node."""

from libra.model.rollout import ENDED, Phase
from libra.storage.query import Query
from libra.usecases import rollouts
from libra.usecases.rollouts import Whole
from libra.web.pages import Context, Look

MOST = 50


def view(look: Look) -> Context:
    """With how far each is."""
    query = Query(sort=(("created_at", False),), limit=MOST)
    found = rollouts.list_rollouts(look.services, query)
    return {
        "now": look.services.clock(),
        "rollouts": [(whole.rollout, *_progress(whole)) for whole in found],
    }


def view_one(look: Look) -> Context:
    """By id, or the newest of a group; raises `NotFound`."""
    whole = rollouts.find_rollout(look.services, look.key)
    done, total, failed = _progress(whole)
    return {
        "now": look.services.clock(),
        "rollout": whole.rollout,
        "led": whole.rollout.is_led(look.services.clock()),
        "steps": whole.steps,
        "done": done,
        "total": total,
        "failed": failed,
    }


def _progress(whole: Whole) -> tuple[int, int, int]:
    """Nodes that are done or skipped, all, and those that failed."""
    done = sum(step.phase in ENDED for step in whole.steps)
    failed = sum(step.phase is Phase.FAILED for step in whole.steps)
    return done, len(whole.steps), failed
