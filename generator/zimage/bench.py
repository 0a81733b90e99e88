"""Z-Image in PyTorch, for internal/bench: the first step, from pure noise."""

import torch
from diffusers import AutoencoderKL, ZImageTransformer2DModel
from generators import Generator


class Model(Generator):
    network, autoencoder = ZImageTransformer2DModel, AutoencoderKL

    def prepare(self):
        text, mask = self.conditions
        self.text, self.time = text[0, mask[0] > 0].to(self.dtype), torch.zeros(1, dtype=self.dtype)

    def clean(self, latents):
        picture = latents[0].unsqueeze(1).to(self.dtype)
        ahead = self.model([picture], self.time, [self.text], return_dict=False)[0][0]
        return latents + ahead.squeeze(1)[None].float()
