"""The folder of models: `NAME/weights.safetensors` and `NAME/card.json`."""

from __future__ import annotations

import hashlib
import os
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load as load_tensors
from safetensors.torch import save as save_tensors

from deepscribble.errors import ModelRefused, OutputRefused, UnknownModel
from deepscribble.models.card import Card, Kind, read_card
from deepscribble.models.model import Model
from deepscribble.models.network import build_network

WEIGHTS = "weights.safetensors"
CARD = "card.json"

SHIPPED = Path(__file__).parent / "shipped"
"""The models that come with the package."""


class Registry:
    """The models of a folder. Cards are read once, weights when a model is loaded.

    Args:
        folder: Holds a folder for each model.

    Raises:
        ModelRefused: the folder is missing or a card in it is unusable.
    """

    def __init__(self, folder: Path = SHIPPED) -> None:
        self.folder = folder
        if not folder.is_dir():
            raise ModelRefused(f"{folder}: no such folder of models; give another with --models")
        self._cards: dict[str, Card] = {}
        for path in sorted(folder.glob(f"*/{CARD}")):
            card = read_card(path)
            if card.name != path.parent.name:
                raise ModelRefused(
                    f"{path}: the card is of {card.name!r}; a model's folder bears its name"
                )
            self._cards[card.name] = card

    def cards(self) -> tuple[Card, ...]:
        """All cards, by name."""
        return tuple(self._cards.values())

    def default(self, kind: Kind) -> str:
        """The name that answers where a request names none: the tumor model, else the first.

        Raises:
            UnknownModel: the folder has no model of this kind.
        """
        of_kind = [card for card in self._cards.values() if card.kind == kind]
        if not of_kind:
            raise UnknownModel(
                f"{self.folder}: no {kind} model here; train one with `deepscribble train {kind}`"
            )
        return min(of_kind, key=lambda card: (card.target != "tumor", card.name)).name

    def card(self, name: str, kind: Kind) -> Card:
        """The card of a model by name; an empty name asks for the default.

        Raises:
            UnknownModel: no model of this name and kind; the message lists those there are.
        """
        name = name or self.default(kind)
        card = self._cards.get(name)
        if card is None or card.kind != kind:
            known = ", ".join(c.name for c in self._cards.values() if c.kind == kind) or "none"
            raise UnknownModel(f"there is no {kind} model {name!r}; there are: {known}")
        return card

    def weights(self, card: Card) -> Path:
        """The file that holds a model's weights."""
        return self.folder / card.name / WEIGHTS

    def load(self, card: Card, device: torch.device) -> Model:
        """Load a model, ready to answer on `device`.

        Raises:
            ModelRefused: as `network`.
        """
        return Model(card, self.network(card), device)

    def network(self, card: Card) -> torch.nn.Module:
        """The network of a card with its weights, checked against the card; on the CPU.

        Raises:
            ModelRefused: the file is missing, is not the one the card was written for, or does
                not fit the network that the card describes.
        """
        path = self.weights(card)
        try:
            data = path.read_bytes()
        except OSError as error:
            raise ModelRefused(f"{path}: the weights cannot be read ({error.strerror})") from error
        if digest_of(data) != card.digest:
            raise ModelRefused(
                f"{path}: these are not the weights that the card describes "
                f"(digest {digest_of(data)}, the card says {card.digest or 'nothing'}); "
                "restore both from where the model came from"
            )
        try:
            tensors = {name: value.float() for name, value in load_tensors(data).items()}
        except SafetensorError as error:
            raise ModelRefused(f"{path}: not a safetensors file ({error})") from error
        network = build_network(card)
        wanted = {name: value.shape for name, value in _lasting(network).items()}
        unfit = wanted.items() ^ {name: value.shape for name, value in tensors.items()}.items()
        if unfit:
            raise ModelRefused(
                f"{path}: the weights do not fit the network of the card "
                f"(first at {min(name for name, _ in unfit)}); restore the model's folder"
            )
        network.load_state_dict(tensors, strict=False)
        return network.eval()


def save_model(folder: Path, network: torch.nn.Module, card: Card) -> Card:
    """Write a model into the registry `folder`: half-precision weights and the card.

    Returns:
        The card with the digest of the weights just written.
    """
    data = save_tensors(
        {
            name: value.detach().cpu().half().contiguous()
            for name, value in _lasting(network).items()
        }
    )
    sealed = card.model_copy(update={"digest": digest_of(data)})
    home = folder / card.name
    home.mkdir(parents=True, exist_ok=True)
    _replace(home / WEIGHTS, data)
    _replace(home / CARD, (sealed.model_dump_json(indent=2) + "\n").encode())
    return sealed


def digest_of(data: bytes) -> str:
    """ "sha256:" and the hex digest."""
    return "sha256:" + hashlib.sha256(data).hexdigest()


def _lasting(network: torch.nn.Module) -> dict[str, torch.Tensor]:
    """The tensors that make up a model; counters of batch norm say nothing about answers."""
    return {
        name: value
        for name, value in network.state_dict().items()
        if not name.endswith("num_batches_tracked")
    }


def _replace(path: Path, data: bytes) -> None:
    partial = path.with_name(path.name + ".partial")
    try:
        partial.write_bytes(data)
        os.replace(partial, path)
    except OSError as error:
        partial.unlink(missing_ok=True)
        raise OutputRefused(
            f"{path}: the model cannot be written ({error.strerror}); make room and try again"
        ) from error
