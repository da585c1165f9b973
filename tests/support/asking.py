"""Threads that ask the same over and over beside a test."""

import threading
from collections.abc import Callable
from types import TracebackType
from typing import Self


class Asking:
    """`with Asking(question): ...` asks until the block ends; its first error ends it, and is raised at the end.

    Whatever happens in the block, the threads end with it.
    """

    def __init__(self, question: Callable[[], object], *, threads: int = 1) -> None:
        self._question = question
        self._stop = threading.Event()
        self._errors: list[BaseException] = []
        self._threads = [threading.Thread(target=self._ask) for _ in range(threads)]
        self.answers = 0

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join()
        if self._errors and error is None:
            raise self._errors[0]

    def _ask(self) -> None:
        try:
            while not self._stop.is_set():
                self._question()
                self.answers += 1
        except BaseException as error:  # noqa: BLE001 - raised in the test's own thread
            self._errors.append(error)
