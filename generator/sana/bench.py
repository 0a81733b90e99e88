"""Sana in PyTorch, for internal/bench: of an update the first step, or any, under guidance; pictures."""

import torch
from diffusers import AutoencoderDC, DPMSolverMultistepScheduler, SanaPipeline, SanaTransformer2DModel
from generators import Generator
from pipelines import Pictures

STEPS, GUIDANCE = 20, 4.5


class Model(Generator):
    network, autoencoder = SanaTransformer2DModel, AutoencoderDC

    def prepare(self):
        text, mask, negative, negative_mask = self.conditions
        self.text, self.mask = torch.cat([negative, text]).to(self.dtype), torch.cat([negative_mask, mask])
        scheduler = DPMSolverMultistepScheduler.from_pretrained(self.order["checkpoint"], subfolder="scheduler")
        scheduler.set_timesteps(STEPS)
        self.go(scheduler, 0)

    def go(self, scheduler, step):
        self.time, self.sigma = scheduler.timesteps[step : step + 1].float().repeat(2), scheduler.sigmas[step]

    def clean(self, latents):
        velocity = self.predict(
            torch.cat([latents] * 2), encoder_hidden_states=self.text, encoder_attention_mask=self.mask, timestep=self.time,
        )
        return latents - self.sigma * self.guided(velocity, self.order.get("guidance", GUIDANCE))


class Sampler(Pictures):
    pipeline, model = SanaPipeline, Model

    def given(self):
        text, mask, negative, negative_mask = self.conditions
        return {
            "prompt_embeds": text, "prompt_attention_mask": mask, "negative_prompt_embeds": negative,
            "negative_prompt_attention_mask": negative_mask, "negative_prompt": None, "latents": self.latents,
            "use_resolution_binning": False,
        }
