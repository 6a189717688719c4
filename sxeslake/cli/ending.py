"""Ctrl-C in long work: asked once, it ends with what is finished; within a second it ends in any case.

The first signal sets a flag that the work looks at where it can stop in good order. Half a second later it is
interrupted wherever it is, and soon after that the program ends, whatever thread still waits for a silent server.
Work that cannot be ended in good order is interrupted at once.
"""

from __future__ import annotations

import _thread
import signal
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Final, NoReturn

_INSIST_S: Final = 0.5
_END_S: Final = 0.85
_CANCEL_S: Final = 2.0
_CANCEL_EVERY_S: Final = 0.05


def interrupt(number: int, frame: object) -> NoReturn:  # noqa: ARG001 - the words of `signal`
    """Handler of signals: interrupts the work wherever it is, and what its threads wait for at a server."""
    storage = sys.modules.get("sxeslake.storage")  # without it nothing is asked of a server, and it may be loading now
    cancel_requests = getattr(storage, "cancel_requests", None)
    if cancel_requests is not None:
        cancel_requests()
        threading.Thread(target=_cancel_more, args=(cancel_requests,), daemon=True).start()
    raise KeyboardInterrupt


def _cancel_more(cancel_requests: Callable[[], object]) -> None:
    """Also what threads ask of a server before they hear that the work is over."""
    give_up = time.monotonic() + _CANCEL_S
    while time.monotonic() < give_up:
        cancel_requests()
        time.sleep(_CANCEL_EVERY_S)


@contextmanager
def ending(leave: Callable[[], object]) -> Iterator[Callable[[], bool]]:
    """Gives what tells whether the work was asked to end; `leave` ends the program where the work does not."""
    with asked_to_end(leave, insist_s=_INSIST_S, end_s=_END_S) as asked:
        yield asked.is_set


@contextmanager
def asked_to_end(leave: Callable[[], object], *, insist_s: float, end_s: float) -> Iterator[threading.Event]:
    """Gives an event that is set when the work is asked to end, so that it can also wait for it.

    The work is interrupted wherever it is after `insist_s`; `leave` ends the program after `end_s`.
    """
    asked = threading.Event()
    before = {number: signal.getsignal(number) for number in _signals()}
    signals = [number for number, handler in before.items() if handler in (interrupt, signal.default_int_handler)]
    if not signals or threading.current_thread() is not threading.main_thread():
        yield asked
        return
    timers: list[threading.Timer] = []

    def ask(number: int, frame: object) -> None:
        if asked.is_set():
            interrupt(number, frame)
        asked.set()
        for seconds, action in ((insist_s, lambda: _interrupt(number)), (end_s, leave)):
            timer = threading.Timer(seconds, action)
            timer.daemon = True
            timer.start()
            timers.append(timer)

    for number in signals:
        signal.signal(number, ask)
    try:
        yield asked
    finally:
        for number in signals:
            signal.signal(number, before[number])
        if sys.exc_info()[0] is None:  # the work is done: nothing is left to end
            for timer in timers:
                timer.cancel()


@contextmanager
def uninterrupted() -> Iterator[None]:
    """For the milliseconds in which the end of the work is written down: there is nothing left to interrupt."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {number: signal.signal(number, signal.SIG_IGN) for number in _signals()}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _signals() -> list[signal.Signals]:
    names = ("SIGINT", "SIGTERM", "SIGHUP")
    return [getattr(signal, name) for name in names if hasattr(signal, name)]


def _interrupt(number: int) -> None:
    """The signal once more, so that also a wait in the system ends."""
    if sys.platform == "win32":
        _thread.interrupt_main()
    else:
        signal.pthread_kill(threading.main_thread().ident or 0, number)
