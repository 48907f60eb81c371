import numpy as np
import torch

from deepscribble.benchmark.machine import Machine


def test_this_machine_is_described() -> None:
    machine = Machine.here("cpu", "bfloat16")
    assert machine.cpu
    assert machine.cores >= 1
    assert machine.threads == torch.get_num_threads()
    assert machine.versions["numpy"] == np.__version__
    assert machine == Machine.here("cpu", "bfloat16")
    assert machine != Machine.here("cpu", "float32")


def test_a_gpu_is_named_in_words() -> None:
    machine = Machine.here("cuda:0 NVIDIA T4", "float32")
    assert "cuda:0 NVIDIA T4" in str(machine)
    assert str(machine).endswith("float32")
    assert "cpu" not in str(Machine.here("cpu", "float32")).split(", ")
