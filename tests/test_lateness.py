"""What the other tests lean on: the machine's own lateness, and threads that are left behind."""

from __future__ import annotations

import os
import threading
import time
from pathlib import Path

import pytest

from tests import lateness as module
from tests.lateness import ATTEMPTS, again_if_late, lateness
from tests.leftovers import Leftovers


@pytest.mark.skipif(not Path("/proc/pressure/cpu").exists(), reason="this kernel does not tell who waits for whom")
def test_the_waiting_of_threads_that_have_ended_counts():
    ended = threading.Event()

    def busy() -> None:
        while not ended.is_set():
            pass

    late_s = lateness()
    began_s = time.monotonic()
    one_core = {min(os.sched_getaffinity(0))}
    children = []
    for _ in range(2):  # two processes and one processor: one of them waits at any moment
        child = os.fork()
        if child == 0:
            os.sched_setaffinity(0, one_core)
            end_s = time.monotonic() + 0.6
            while time.monotonic() < end_s:
                pass
            os._exit(0)
        children.append(child)
    thread = threading.Thread(target=busy)
    thread.start()
    for child in children:
        os.waitpid(child, 0)
    ended.set()
    thread.join()
    assert 0.3 < late_s() <= time.monotonic() - began_s + 0.1


@pytest.mark.parametrize(
    ("late_s", "failures", "runs", "passes"),
    [(0.0, 1, 1, False), (1.0, 1, 2, True), (1.0, ATTEMPTS, ATTEMPTS, False), (0.0, 0, 1, True)],
)
def test_only_what_failed_on_a_late_machine_tries_again(monkeypatch, late_s, failures, runs, passes):
    monkeypatch.setattr(module, "lateness", lambda: lambda: late_s)
    calls = []

    @again_if_late
    def judged(word):
        calls.append(word)
        assert len(calls) > failures

    if passes:
        judged("given")
    else:
        with pytest.raises(AssertionError):
            judged("given")
    assert calls == ["given"] * runs


def test_a_thread_of_the_test_is_found_and_one_of_before_is_not():
    end = threading.Event()
    earlier = threading.Thread(target=end.wait)
    earlier.start()
    left = Leftovers()
    assert left.names() == []
    mine, release = threading.Event(), threading.Event()

    def run() -> None:
        mine.set()
        release.wait()

    thread = threading.Thread(target=run)
    thread.start()
    assert mine.wait(5)
    assert len(left.names()) == 1
    assert len(left.after_a_while(seconds=0.05)) == 1
    end.set()  # one that was there before ends: no difference
    release.set()
    assert left.after_a_while() == []
    thread.join()
    earlier.join()
