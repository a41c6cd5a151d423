"""What the present machine is called, in the words of a profile's source."""

from __future__ import annotations

import platform
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch


def machine_name(device: str, dtype: torch.dtype) -> str:
    """Processor, threads and number format, for example "AMD EPYC, 2 threads, bfloat16"."""
    import torch

    kind = str(dtype).removeprefix("torch.")
    if device == "cuda":
        return f"{torch.cuda.get_device_name()}, {kind}"
    threads = torch.get_num_threads()
    return f"{_processor()}, {threads} thread{'s' if threads > 1 else ''}, {kind}"


def _processor() -> str:
    """The processor's name as Linux tells it, elsewhere as Python does."""
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        lines = []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return next(iter(names), "") or platform.processor() or platform.machine()
