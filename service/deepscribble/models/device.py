"""Where networks run and in which precision."""

from __future__ import annotations

import torch

from deepscribble.errors import InvalidInput

CHOICES = ("auto", "cpu", "cuda", "mps")


def choose_device(wanted: str) -> torch.device:
    """The device for `auto`, `cpu`, `cuda` or `mps`.

    Raises:
        InvalidInput: an unknown word, or a device that is not there; never a silent fall back.
    """
    cuda, mps = torch.cuda.is_available(), torch.backends.mps.is_available()
    if wanted not in CHOICES:
        raise InvalidInput("device", f"{wanted!r} is none of {', '.join(CHOICES)}")
    if wanted == "auto":
        wanted = "cuda" if cuda else "mps" if mps else "cpu"
    if (wanted == "cuda" and not cuda) or (wanted == "mps" and not mps):
        raise InvalidInput("device", f"{wanted} is not available here; use auto or cpu")
    return torch.device(wanted)


def describe(device: torch.device) -> str:
    """A device in words: "cpu", "mps", "cuda:0 NVIDIA ..."."""
    if device.type == "cuda":
        return f"cuda:{torch.cuda.current_device()} {torch.cuda.get_device_name(device)}"
    return device.type


def device_kind(device: torch.device) -> str:
    """What decides the last bits of a network's answers on a device, in words.

    Servers of the same kind, version and models answer the same bits.
    """
    if device.type == "cpu":
        threads, features = torch.get_num_threads(), torch.backends.cpu.get_cpu_capability()
        amx = "amx" if torch.cpu._is_amx_tile_supported() else ""
        bfloat16 = "bf16" if has_bfloat16(device) else ""
        return f"cpu {features} {amx} {bfloat16} {threads} threads torch {torch.__version__}"
    return f"{describe(device)} torch {torch.__version__}"


def has_bfloat16(device: torch.device) -> bool:
    """Whether the hardware computes bfloat16 itself; emulation would only be slower."""
    if device.type == "cuda":
        return bool(torch.cuda.is_bf16_supported(including_emulation=False))
    if device.type == "cpu":
        return bool(torch.cpu._is_avx512_bf16_supported() or torch.cpu._is_amx_tile_supported())
    return False
