"""Live progress of a sweep: a bar on a terminal, a line every some seconds in a log."""

from __future__ import annotations

import sys
import threading
from collections import Counter
from contextlib import AbstractContextManager
from time import monotonic
from types import TracebackType

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from harness.dispatch.base import Event, Finished, Started
from harness.measure.request import Request
from harness.model import Status

LINE_EVERY_S = 10.0


def _describe(request: Request) -> str:
    return f"{request.job.kernel.name} {request.job.problem.summary()}"


def _duration(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}h{minutes:02}m" if hours else f"{minutes}m{rest:02}s" if minutes else f"{rest}s"


class SweepProgress(AbstractContextManager["SweepProgress"]):
    """Counts events; says what is done, failed and skipped, how long it takes still, what runs.

    Time left is the mean time of what is finished times what is left.
    """

    def __init__(self, total: int, skipped: int, console: Console) -> None:
        self._total = total
        self._skipped = skipped
        self._console = console
        self._counts: Counter[Status] = Counter()
        self._started = monotonic()
        self._in_hand: dict[str, str] = {}
        self._bar: Progress | None = None
        self._lock = threading.Lock()
        self._left = threading.Event()
        self._clock: threading.Thread | None = None
        if console.is_terminal:
            self._bar = Progress(
                BarColumn(bar_width=24),
                MofNCompleteColumn(),
                TextColumn("{task.fields[state]}"),
                TimeElapsedColumn(),
                TextColumn("{task.description}", style="dim"),
                console=console,
                transient=True,
            )
            self._task = self._bar.add_task("starting workers …", total=total, state="")

    def __enter__(self) -> SweepProgress:
        if self._bar:
            self._bar.start()
        else:  # a job of minutes must not look like a sweep that hangs
            self._clock = threading.Thread(target=self._tick, daemon=True)
            self._clock.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._left.set()
        if self._clock:
            self._clock.join()
        if self._bar:
            self._bar.stop()
        elif self._finished:
            self._line()

    def _tick(self) -> None:
        while not self._left.wait(LINE_EVERY_S):
            with self._lock:
                self._line(" | ".join(self._in_hand.values()))

    @property
    def _finished(self) -> int:
        return sum(self._counts.values())

    @property
    def _failed(self) -> int:
        good = self._counts[Status.OK] + self._counts[Status.SKIPPED]
        return self._finished - good

    def listen(self, event: Event) -> None:
        """Take one event in."""
        with self._lock:
            self._take(event)

    def _take(self, event: Event) -> None:
        if isinstance(event, Started):
            self._in_hand[event.worker] = _describe(event.request)
        elif isinstance(event, Finished):
            if event.final:
                self._counts[event.record.status] += 1
            if event.record.status not in (Status.OK, Status.SKIPPED):
                self._say_failure(event)
        self._show()

    def say(self, line: str) -> None:
        """Print a line beside the bar."""
        self._console.print(line, style="yellow", markup=False, highlight=False, soft_wrap=True)

    def _say_failure(self, event: Finished) -> None:
        what = f"{event.record.status}: {_describe(event.request)}: {event.record.reason}"
        what += "" if event.final else "; tried once more"
        self._console.print(what, style="red", markup=False, highlight=False, soft_wrap=True)

    def _state(self) -> str:
        skipped = self._skipped + self._counts[Status.SKIPPED]
        text = f"{self._counts[Status.OK]} ok · {self._failed} failed · {skipped} skipped"
        left = self._total - self._finished
        if self._finished and left:
            each = (monotonic() - self._started) / self._finished
            text += f" · {_duration(each * left)} left"
        return text

    def _show(self) -> None:
        now = " | ".join(self._in_hand.values())
        if self._bar:
            self._bar.update(
                self._task, completed=self._finished, state=self._state(), description=now
            )

    def _line(self, now: str = "") -> None:
        tail = f" · {now}" if now else ""
        text = f"[{self._finished}/{self._total}] {self._state()}{tail}"
        self._console.print(text, markup=False, highlight=False, soft_wrap=True)


def progress_console() -> Console:
    """Progress goes to standard error: standard output is for results."""
    return Console(file=sys.stderr)
