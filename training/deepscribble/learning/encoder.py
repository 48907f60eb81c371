"""Encoders that know images already: weights from a local file, made ready to be trained on."""

from __future__ import annotations

import pickle
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file

from deepscribble.errors import InvalidInput
from deepscribble.models import TwoScales

Weights = dict[str, torch.Tensor]


def read_weights(path: Path) -> Weights:
    """The tensors of a `.safetensors` file, or of a PyTorch file that holds nothing but tensors.

    Raises:
        InvalidInput: neither of the two; nothing else in such a file is ever run.
    """
    try:
        if path.suffix == ".safetensors":
            return load_file(path)
        found = torch.load(path, map_location="cpu", weights_only=True)
    except (OSError, SafetensorError, pickle.UnpicklingError, RuntimeError, EOFError) as error:
        reason = str(error).partition("\n")[0]
        raise InvalidInput("weights", f"{path}: not weights to start from ({reason})") from error
    if not isinstance(found, dict) or not all(isinstance(v, torch.Tensor) for v in found.values()):
        raise InvalidInput("weights", f"{path}: not weights to start from (no table of tensors)")
    return found


def load_encoder(network: torch.nn.Module, path: Path) -> None:
    """Give the encoder of `network` the weights of an encoder trained on images of anything.

    Further input channels than red, green and blue start at 0: they say nothing until learned.

    Args:
        network: From `models.build_network`.
        path: A state dict of the same encoder as segmentation_models_pytorch or torchvision name
            its tensors; a classifier beside it is left out.

    Raises:
        InvalidInput: not weights, or of another encoder.
    """
    weights = read_weights(path)
    encoder = unet(network).encoder
    own = encoder.state_dict()  # type: ignore[union-attr]
    missing = [name for name in own if name not in weights and "num_batches" not in name]
    if missing:
        raise InvalidInput(
            "encoder-weights",
            f"{path} has no {missing[0]}; these are not weights of this encoder "
            "(choose the one they are of with --encoder)",
        )
    for name, mine in own.items():
        value = weights.get(name)
        if value is None:
            continue
        if mine.dim() == 4 and mine.shape[1] > value.shape[1] == 3:
            mine[:, 3:] = 0
            mine = mine[:, :3]
        if mine.shape != value.shape:
            raise InvalidInput(
                "encoder-weights",
                f"{path}: {name} is {tuple(value.shape)} where {tuple(mine.shape)} is needed; "
                "choose the encoder that the weights are of with --encoder",
            )
        mine.copy_(value)


def unet(network: torch.nn.Module) -> torch.nn.Module:
    """The U-Net of a network that `models.build_network` made."""
    return network.unet if isinstance(network, TwoScales) else network


@torch.no_grad()
def recalibrate(network: torch.nn.Module, inputs: torch.Tensor) -> None:
    """Bring batch norms up to what `inputs` (N, C, H, W) really look like inside the network.

    The network's answers stay the same. Weights whose batch norm was folded into convolutions,
    or that come from other images, would jump as soon as training normalises by the batch.
    """

    def measure(norm: torch.nn.Module, arguments: tuple[torch.Tensor, ...]) -> None:
        if not isinstance(norm, torch.nn.BatchNorm2d):
            return
        if norm.running_mean is None or norm.running_var is None:
            return
        values = arguments[0].float()
        mean = values.mean(dim=(0, 2, 3))
        variance = values.var(dim=(0, 2, 3))
        slope = norm.weight / torch.sqrt(norm.running_var + norm.eps)
        norm.bias.add_(slope * (mean - norm.running_mean))
        norm.weight.copy_(slope * torch.sqrt(variance + norm.eps))
        norm.running_mean.copy_(mean)
        norm.running_var.copy_(variance)

    was_training = network.training
    network.eval()
    hooks = [
        module.register_forward_pre_hook(measure)
        for module in network.modules()
        if isinstance(module, torch.nn.BatchNorm2d)
    ]
    try:
        network(inputs)
    finally:
        for hook in hooks:
            hook.remove()
        network.train(was_training)
