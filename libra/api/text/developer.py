"""The controller's own memory, for who looks for a leak."""

from libra.api.text.layout import one_line
from libra.daemon.memory import Memory

HOW = (
    "tracemalloc is not started: with PYTHONTRACEMALLOC=1 in the controller's environment the places in the source "
    "that hold the most memory are told, too; it makes the controller slower."
)
_MEBIBYTE = 1024 * 1024


def render_memory(found: Memory) -> str:
    """Of this process."""
    lines = [f"{name}: {size / _MEBIBYTE:.1f} MiB" for name, size in found.sizes.items()]
    lines += [
        f"threads: {found.threads}",
        f"open files: {found.files}",
        f"objects since the last collection, by generation: {_listed(found.tracked)}",
        f"collections, by generation: {_listed(found.collections)}",
        f"objects set apart from collection: {found.frozen}",
        f"uncollectable objects: {found.uncollectable}",
    ]
    if found.traced is None:
        return "\n".join([*lines, HOW])
    now, most = found.traced.current / _MEBIBYTE, found.traced.peak / _MEBIBYTE
    lines.append(f"traced: {now:.1f} MiB, at most {most:.1f} MiB; the largest:")
    lines += [
        f"   {one_line(place)} {size} bytes in {count} objects"
        for place, size, count in found.traced.largest
    ]
    return "\n".join(lines)


def _listed(numbers: tuple[int, ...]) -> str:
    return ", ".join(map(str, numbers))
