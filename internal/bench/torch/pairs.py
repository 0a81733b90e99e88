"""Whole updates of a generator's adapter by a verifier's loss, as dualprocess.Distill makes them.

The steps before the one with gradient are those of diffusers' own pipeline, with the adapter as it is then. The noise, the
conditions, the questions' ids, the adapter's first A, and which step has the gradient, are those of our side, which wrote them.
"""

import torch
from safetensors.torch import load_file
from torch.utils.checkpoint import checkpoint


class Pair:
    """An order that is sparing has activations of the generator computed again on the way back: an update then fits beside the
    weights of published models on a machine of 24 GB, as ours does."""

    def __init__(self, order, generator, verifier):
        self.order, self.made = order, 0
        self.verifier = verifier.Model(order | {"checkpoint": order["verifier"]})
        self.generator = generator.Model(order)
        self.painter = generator.Sampler(order, beside=self.generator)
        self.painter.before(self.noise(), 1)  # by which its scheduler knows its steps

    def noise(self):
        """That of the next update, as our side has it."""
        return self.painter.inputs["latents"][self.made : self.made + 1]

    def run(self):
        step, noise = self.generator.about["steps"][self.made], self.noise()
        self.made += 1
        latents = self.painter.before(noise, step) if step else self.generator.noise(noise)
        self.generator.go(self.painter.pipe.scheduler, step)
        picture = self.again(self.generator.decode, self.again(self.generator.clean, latents)) / 2 + 0.5
        loss, slope = self.verifier.gradient(picture.detach()[0])
        picture.backward(slope[None])
        return loss, self.generator.update()

    def again(self, part, x):
        if self.order.get("sparing"):
            return checkpoint(part, x, use_reentrant=False)
        return part(x)

    def apart(self):
        """How far the adapter is from ours, of how far ours has come."""
        ours, prefix = load_file(self.order["adapter"]), self.generator.folder
        off = way = 0
        for name, low, high in self.generator.layers():
            first = self.generator.inputs[f"A/{name}"]
            a, b = (ours[f"{prefix}.{name}.lora_{matrix}.weight"] for matrix in "AB")
            off += (low - a).square().sum() + (high - b).square().sum()
            way += (a - first).square().sum() + b.square().sum()
        return torch.sqrt(off / way).item()
