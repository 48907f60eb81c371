import numpy as np
import torch

from deepscribble.models import Card, Model, build_network

CPU = torch.device("cpu")


def test_folding_batch_norms_changes_no_answer_and_not_the_network(refine_card: Card) -> None:
    torch.manual_seed(0)
    card = refine_card.model_copy(update={"encoder": "mobilenet_v2"})
    network = build_network(card)
    for module in network.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            torch.nn.init.uniform_(module.running_mean, -1, 1)
            torch.nn.init.uniform_(module.running_var, 0.5, 2)
    before = {name: value.clone() for name, value in network.state_dict().items()}
    model = Model(card, network, CPU)
    inputs = np.random.default_rng(0).random((1, 6, 64, 64), dtype=np.float32)
    with torch.no_grad():
        expected = torch.sigmoid(network(torch.from_numpy(inputs)))[:, 0].numpy()
    assert np.abs(model._run(inputs, bfloat16=False) - expected).max() < 1e-4
    for name, value in network.state_dict().items():
        assert torch.equal(value, before[name]), name
