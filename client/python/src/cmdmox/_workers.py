"""Threads for handlers and predicates: at most so many, kept for the next one, and none of them keeps Python from
ending.

An executor of concurrent.futures is no choice here: Python waits for its threads at exit, also for a handler that
hangs.
"""

from __future__ import annotations

import queue
import threading
from typing import Callable

MOST = 64


class Workers:
    """Runs each job on a thread that has nothing else to do."""

    def __init__(self, most: int = MOST) -> None:
        self._most = most
        self._jobs: queue.SimpleQueue[Callable[[], None]] = queue.SimpleQueue()
        self._lock = threading.Lock()
        self._threads = 0
        self._free = 0

    def start(self, job: Callable[[], None]) -> bool:
        """False: all threads are at work. Raises what Thread.start() raises. A job that raises ends its thread."""
        with self._lock:
            if self._free:
                self._free -= 1
            elif self._threads < self._most:
                threading.Thread(target=self._work, name=f"cmdmox callback {self._threads + 1}", daemon=True).start()
                self._threads += 1  # now: there may be no thread
            else:
                return False
        self._jobs.put(job)
        return True

    def _work(self) -> None:
        while True:
            job = self._jobs.get()
            try:
                job()
            except BaseException:
                with self._lock:
                    self._threads -= 1
                raise
            del job  # it holds what the test's function closes over
            with self._lock:
                self._free += 1
