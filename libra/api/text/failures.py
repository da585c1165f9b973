"""Why something has no device, and which hosts came to nothing."""

from collections.abc import Iterable, Iterator

from libra.api.text.layout import one_line, shorten
from libra.usecases.admin.failures import BootFailures, Failure, ImageFailures


def render_boot(found: BootFailures) -> str:
    """By project, and by pool."""
    return "\n".join(
        [
            "Job failure reasons:",
            *_grouped("User", found.placements),
            *_grouped("Cloud", found.pools),
        ]
    )


def render_image(found: ImageFailures) -> str:
    """By pool: the release of what refuses, and what never came."""
    lines = ["Image failures:", *_grouped("Cloud", found.never_online)]
    for failure, image in found.refused:
        lines.append(f"   Cloud: {one_line(failure.subject)}")
        lines.append(f"      Image: {one_line(image)}, on {one_line(failure.device)}")
        lines.append(f"      {_told(failure)}")
    return "\n".join(lines)


def _grouped(title: str, failures: Iterable[Failure]) -> Iterator[str]:
    groups: dict[str, list[Failure]] = {}
    for failure in failures:
        groups.setdefault(failure.subject, []).append(failure)
    for subject, mine in groups.items():
        yield f"   {title}: {one_line(subject)}"
        for failure in mine:
            where = f"{one_line(failure.device)}: " if failure.device else ""
            yield f"      {where}{_told(failure)}"


def _told(failure: Failure) -> str:
    return f"{failure.at:%Y-%m-%d %H:%M:%S} {shorten(failure.reason)}"
