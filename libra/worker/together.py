"""UPDATEs that wait behind one another, carried out as the one change that they come to."""

from collections.abc import Sequence

from libra.messages.fields import fold
from libra.messages.replies import passed
from libra.messages.requests import Action
from libra.worker.answer import Controller, ReadJob, answer, carry_out, handle, start

GENERATION = "hpcs_generation"


def is_joinable(read: ReadJob) -> bool:
    """An UPDATE that is meant. One with a generation is its controller's, who puts changes together itself."""
    if read.action is not Action.UPDATE or read.dry_run or read.message is None:
        return False
    return not any(fold(name) == GENERATION for name in read.message)


def carry_out_together(reads: Sequence[ReadJob], controller: Controller) -> None:
    """As if one had followed the other: the last says what runs in the end, and where it fails, the one before.

    One that was passed over is answered after the one that replaced it, and FAIL where its message is none.
    """
    left = list(reads)
    while len(left) > 1:
        last, started = left.pop(), start()
        reply = handle(controller, last)
        answer(last, reply, started)
        if passed(reply):
            for read in left:
                started = start()
                answer(read, handle(controller, read, replaced=True), started)
            return
    carry_out(left[0], controller)
