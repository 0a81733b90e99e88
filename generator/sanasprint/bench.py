"""SANA-Sprint in PyTorch, for internal/bench: the first step, from pure noise."""

import math

import torch
from diffusers import AutoencoderDC, SanaTransformer2DModel
from generators import Generator

GUIDANCE, ANGLE = 4.5, 1.5708


class Model(Generator):
    network, autoencoder = SanaTransformer2DModel, AutoencoderDC

    def prepare(self):
        text, self.mask = self.conditions
        self.text = text.to(self.dtype)
        self.guidance = torch.full((1,), GUIDANCE * self.model.config.guidance_embeds_scale, dtype=self.dtype)
        self.latents = self.latents[:, 0]  # behind it is the noise of the steps to come
        self.sine, self.cosine = math.sin(ANGLE), math.cos(ANGLE)
        self.time = torch.full((1,), self.sine / (self.sine + self.cosine))
        self.length = math.sqrt(self.time.item() ** 2 + (1 - self.time.item()) ** 2)

    def clean(self, latents):
        x, t = latents * self.length, self.time
        velocity = self.predict(
            x, encoder_hidden_states=self.text, encoder_attention_mask=self.mask, timestep=t, guidance=self.guidance,
        )
        direction = ((1 - 2 * t) * x + (1 - 2 * t + 2 * t * t) * velocity) / self.length
        return self.cosine * latents - self.sine * direction
