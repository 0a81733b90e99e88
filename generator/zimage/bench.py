"""Z-Image in PyTorch, for internal/bench: of an update the first step, from pure noise; pictures."""

import torch
from diffusers import AutoencoderKL, ZImagePipeline, ZImageTransformer2DModel
from generators import Generator
from pipelines import Pictures


class Model(Generator):
    network, autoencoder = ZImageTransformer2DModel, AutoencoderKL

    def prepare(self):
        text, mask = self.conditions
        self.text, self.time = text[0, mask[0] > 0].to(self.dtype), torch.zeros(1, dtype=self.dtype)

    def clean(self, latents):
        picture = latents[0].unsqueeze(1).to(self.dtype)
        ahead = self.model([picture], self.time, [self.text], return_dict=False)[0][0]
        return latents + ahead.squeeze(1)[None].float()


class Sampler(Pictures):
    pipeline, model = ZImagePipeline, Model

    def given(self):
        text, mask = self.conditions
        return {"prompt_embeds": [words[told > 0] for words, told in zip(text, mask)], "latents": self.latents}
