"""Sana in PyTorch, for internal/bench: the first step, under guidance."""

import torch
from diffusers import AutoencoderDC, DPMSolverMultistepScheduler, SanaTransformer2DModel
from generators import Generator

STEPS, GUIDANCE = 20, 4.5


class Model(Generator):
    network, autoencoder = SanaTransformer2DModel, AutoencoderDC

    def prepare(self):
        text, mask, negative, negative_mask = self.conditions
        self.text, self.mask = torch.cat([negative, text]).to(self.dtype), torch.cat([negative_mask, mask])
        scheduler = DPMSolverMultistepScheduler.from_pretrained(self.order["checkpoint"], subfolder="scheduler")
        scheduler.set_timesteps(STEPS)
        self.time, self.sigma = scheduler.timesteps[:1].float().repeat(2), scheduler.sigmas[0]

    def clean(self, latents):
        velocity = self.predict(
            torch.cat([latents] * 2), encoder_hidden_states=self.text, encoder_attention_mask=self.mask, timestep=self.time,
        )
        return latents - self.sigma * self.guided(velocity, GUIDANCE)
