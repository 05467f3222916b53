"""Tests that mostly wait, for several cases in the time of one."""

from __future__ import annotations

import functools
import inspect
import threading
import traceback
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Callable, Dict, Iterable, List

_SOON_S = 120.0  # until all have begun, on a busy machine


def at_once(names: str, cases: Iterable[Any]) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Like pytest.mark.parametrize, but one test: all cases at the same time, each in a thread of its own.

    For tests that wait for seconds and use no processor meanwhile: breakers and clients of their own on loopback. Each
    case makes what it needs itself; fixtures are shared by all of them. A failure names its case, and all that failed
    are told. Example: `@at_once("version", VERSIONS)` above `def test_it(version): ...`.
    """
    parameters = [name.strip() for name in names.split(",")]
    given: List[Dict[str, Any]] = [dict(zip(parameters, case if len(parameters) > 1 else (case,))) for case in cases]

    def decorate(test: Callable[..., None]) -> Callable[..., None]:
        @functools.wraps(test)
        def together(**fixtures: Any) -> None:
            begin = threading.Barrier(len(given))

            def one(case: Dict[str, Any]) -> None:
                begin.wait(_SOON_S)
                test(**case, **fixtures)

            with ThreadPoolExecutor(len(given), thread_name_prefix=test.__name__) as pool:
                running = [pool.submit(one, case) for case in given]
            failed = [(case, future.exception()) for case, future in zip(given, running) if future.exception()]
            if failed:
                told = ["".join(traceback.format_exception(type(e), e, e.__traceback__)) for _, e in failed if e]
                texts = [f"{case}:\n{text}" for (case, _), text in zip(failed, told)]
                raise AssertionError("\n\n".join(texts)) from failed[0][1]

        signature = inspect.signature(test)
        rest = [parameter for name, parameter in signature.parameters.items() if name not in parameters]
        together.__signature__ = signature.replace(parameters=rest)  # type: ignore[attr-defined]
        return together

    return decorate
