"""What a run ran on: without it, seconds mean nothing."""

from __future__ import annotations

import importlib.metadata
import os
import platform
from dataclasses import dataclass
from pathlib import Path

_PACKAGES = (
    "deepscribble",
    "numpy",
    "opencv-python-headless",
    "pyamg",
    "safetensors",
    "scikit-image",
    "scipy",
    "segmentation-models-pytorch",
    "torch",
)
"""Those whose version may change a figure."""


@dataclass(frozen=True, slots=True)
class Machine:
    """A computer and what runs on it.

    Args:
        cpu: The processor's model.
        cores: That this process may use.
        threads: That a network is computed with.
        device: Where networks run: "cpu", "cuda:0 NVIDIA ...".
        precision: What RefineNet is computed in, "float32" or "bfloat16".
        system: Operating system and its release.
        python: Its version.
        versions: Of the packages that may change a figure.
    """

    cpu: str
    cores: int
    threads: int
    device: str
    precision: str
    system: str
    python: str
    versions: dict[str, str]

    @classmethod
    def here(cls, device: str, precision: str) -> Machine:
        """This one, with the device and precision that an engine tells."""
        import torch

        return cls(
            cpu=_cpu(),
            cores=_cores(),
            threads=torch.get_num_threads(),
            device=device,
            precision=precision,
            system=f"{platform.system()} {platform.release()}",
            python=platform.python_version(),
            versions={name: importlib.metadata.version(name) for name in _PACKAGES},
        )

    def __str__(self) -> str:
        where = "" if self.device == "cpu" else f", {self.device}"
        return f"{self.cpu}, {self.cores} cores{where}, {self.precision}"


def _cpu() -> str:
    """The processor's model; Linux alone tells more than the architecture in Python's words."""
    told = Path("/proc/cpuinfo")
    if told.is_file():
        for line in told.read_text(encoding="utf-8", errors="replace").splitlines():
            name, _, value = line.partition(":")
            if name.strip() == "model name":
                return value.strip()
    return platform.processor() or platform.machine()


def _cores() -> int:
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1
