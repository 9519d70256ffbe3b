"""Peak memory of a run over all its processes."""

import threading
from types import TracebackType
from typing import Self

import psutil

INTERVAL_S = 2.0


class PeakMemory:
    """Samples the memory of this process and its descendants; a context manager.

    `pss_mib` counts shared pages once, `rss_mib` in every process that maps them.
    """

    def __init__(self) -> None:
        self.pss_mib = self.rss_mib = 0.0
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._sample_until_stopped, daemon=True)

    @property
    def figures(self) -> dict[str, float]:
        """The peaks so far, in MiB."""
        return {"pss_mib": round(self.pss_mib), "rss_mib": round(self.rss_mib)}

    def __enter__(self) -> Self:
        """Start sampling."""
        self._thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Stop sampling."""
        self._stop.set()
        self._thread.join()

    def _sample_until_stopped(self) -> None:
        me = psutil.Process()
        self._sample(me)
        while not self._stop.wait(INTERVAL_S):
            self._sample(me)

    def _sample(self, me: psutil.Process) -> None:
        pss = rss = 0
        for process in [me, *me.children(recursive=True)]:
            try:
                memory = process.memory_full_info()
            except psutil.Error:
                continue
            rss += memory.rss
            pss += getattr(memory, "pss", memory.rss)
        self.pss_mib = max(self.pss_mib, pss / 2**20)
        self.rss_mib = max(self.rss_mib, rss / 2**20)
