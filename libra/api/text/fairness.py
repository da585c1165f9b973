"""Which share of the devices each project has, and should have."""

from collections.abc import Iterator, Mapping

from libra.api.text.layout import one_line
from libra.model.fairness import Distribution, Type


def render_distribution(found: Distribution, pools: Mapping[str, str]) -> str:
    """Three sections; `pools` are names by id."""
    sections = (
        ("Diff Types", found.differences),
        ("Current Types (vms)", found.current),
        ("Desired Types (jobs)", found.desired),
    )
    return "\n".join(line for title, parts in sections for line in (title, *_rows(parts, pools)))


def _rows(parts: Mapping[Type, float], pools: Mapping[str, str]) -> Iterator[str]:
    for name, value in sorted(named(parts, pools).items()):
        yield f"type: {one_line(name)}, dist: {value:.6f}"


def named(parts: Mapping[Type, float], pools: Mapping[str, str]) -> dict[str, float]:
    """By PROJECT:POOL; a dash for one that has nothing anywhere."""
    return {
        f"{project}:{pools.get(pool, pool) or '-'}": part for (project, pool), part in parts.items()
    }
