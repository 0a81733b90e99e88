"""Frozen weights of bfloat16 that are computed with in float32.

Our side does so on processors: checkpoints are published in bfloat16, a processor computes in float32, and a weight is converted
when its layer's turn comes. PyTorch's own way is a whole model in float32, twice the memory: 15 GB of Qwen2.5-VL-3B alone. The
numbers are the same.
"""

import pathlib

import torch
from safetensors import safe_open


def stored(folder):
    """The dtype of a checkpoint's files. Its configuration may name another one."""
    with safe_open(min(pathlib.Path(folder).glob("*.safetensors")), "pt") as file:
        return file.get_slice(min(file.keys()))[:1].dtype


class Product(torch.autograd.Function):
    """Keeps the weight as it is stored for the way back. Autograd by itself would keep the converted copy."""

    @staticmethod
    def forward(ctx, x, weight, bias):
        ctx.save_for_backward(weight)
        return torch.nn.functional.linear(x, weight.float(), bias)

    @staticmethod
    def backward(ctx, slope):
        (weight,) = ctx.saved_tensors
        return slope @ weight.float(), None, None


class Linear(torch.nn.Linear):
    def forward(self, x):
        return Product.apply(x, self.weight, self.bias)


def sparing(model):
    """Has a frozen model compute in float32. Weights of linear layers, which are nearly all, stay as they are; the rest, such as
    embeddings, norms and convolutions, is converted, and with it what is tied to it."""
    for module in model.modules():
        if hasattr(module, "scalar_embed_scale"):  # Gemma's, of which there is a copy that was rounded
            module.embed_scale = torch.tensor(module.scalar_embed_scale)
    rounded = [name for name, x in model.named_buffers() if x.dtype == torch.bfloat16]
    if rounded:
        raise ValueError(f"bfloat16 has rounded what is no weight: {', '.join(rounded)}: measure this model by a checkpoint of float32")
    for module in model.modules():
        for name, x in module.named_parameters(recurse=False):
            if type(module) is not torch.nn.Linear or name == "bias":
                x.data = x.data.float()
    for module in model.modules():
        if type(module) is torch.nn.Linear and module.weight.dtype != torch.float32:
            module.__class__ = Linear
    return model
