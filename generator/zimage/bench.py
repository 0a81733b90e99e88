"""Z-Image in PyTorch, for internal/bench: of an update the first step, from pure noise, or any; pictures."""

import torch
from diffusers import AutoencoderKL, ZImagePipeline, ZImageTransformer2DModel
from generators import Generator
from pipelines import Pictures


def tabulate(network):
    """Makes the table of positions, as the network does where there is none: PyTorch's compiler stumbles over that."""
    table = network.rope_embedder
    table.freqs_cis = table.precompute_freqs_cis(table.axes_dims, table.axes_lens, theta=table.theta)


class Model(Generator):
    network, autoencoder = ZImageTransformer2DModel, AutoencoderKL

    def prepare(self):
        text, mask = self.conditions
        self.text = text[0, mask[0] > 0].to(self.dtype)
        self.time, self.sigma = torch.zeros(1, dtype=self.dtype), 1
        tabulate(self.model)

    def go(self, scheduler, step):
        self.time, self.sigma = ((1000 - scheduler.timesteps[step : step + 1]) / 1000).to(self.dtype), scheduler.sigmas[step]

    def clean(self, latents):
        picture = latents[0].unsqueeze(1).to(self.dtype)
        ahead = self.model([picture], self.time, [self.text], return_dict=False)[0][0]
        return latents + self.sigma * ahead.squeeze(1)[None].float()


class Sampler(Pictures):
    pipeline, model = ZImagePipeline, Model

    def compile(self):
        tabulate(self.network)
        super().compile()

    def given(self):
        text, mask = self.conditions
        return {"prompt_embeds": [words[told > 0] for words, told in zip(text, mask)], "latents": self.latents}
