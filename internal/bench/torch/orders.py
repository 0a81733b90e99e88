"""What our side has written for PyTorch's."""

import json

import torch
from safetensors import safe_open

DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16}


def handed(order):
    """The order's inputs: numbers, and tensors by name."""
    with safe_open(order["inputs"], "pt") as file:
        return json.loads(file.metadata()["about"]), {name: file.get_tensor(name) for name in file.keys()}
