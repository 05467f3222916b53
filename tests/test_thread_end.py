"""Waiting for the end of a thread, from a thread that is not Python's own."""

from __future__ import annotations

import _thread
import threading
import time
from queue import Queue
from typing import List, Tuple

from tuya import thread_end


def test_it_tells_whether_the_thread_has_ended() -> None:
    end = threading.Event()
    thread = threading.Thread(target=end.wait)
    thread.start()
    began_s = time.monotonic()
    assert thread_end.wait(thread, 0.05) is False
    assert time.monotonic() - began_s >= 0.05
    end.set()
    assert thread_end.wait(thread, 30.0) is True
    assert not thread.is_alive()
    assert thread_end.wait(thread, 0.0) is True


def test_no_dummy_thread_is_made_in_a_foreign_thread() -> None:
    thread = threading.Thread(target=time.sleep, args=(0.05,))
    thread.start()
    said: Queue[Tuple[bool, List[str]]] = Queue()

    def foreign() -> None:
        has_ended = thread_end.wait(thread, 30.0)
        said.put((has_ended, [other.name for other in threading.enumerate() if other.ident == threading.get_ident()]))

    _thread.start_new_thread(foreign, ())
    assert said.get(timeout=60) == (True, [])
