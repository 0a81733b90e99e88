"""Stable Diffusion in PyTorch, for internal/bench: of an update a step in the middle, or any, under guidance; pictures."""

import torch
from diffusers import AutoencoderKL, DDIMScheduler, StableDiffusionPipeline, UNet2DConditionModel
from generators import Generator
from pipelines import Pictures

STEPS, GUIDANCE = 50, 7.5


class Model(Generator):
    network, folder, autoencoder = UNet2DConditionModel, "unet", AutoencoderKL

    def prepare(self):
        text, negative = self.conditions
        self.text = torch.cat([negative, text]).to(self.dtype)
        scheduler = DDIMScheduler.from_pretrained(self.order["checkpoint"], subfolder="scheduler")
        scheduler.set_timesteps(STEPS)
        self.go(scheduler, self.order["step"])

    def go(self, scheduler, step):
        self.time = scheduler.timesteps[step]
        self.alpha = scheduler.alphas_cumprod[self.time]

    def clean(self, latents):
        noise = self.predict(torch.cat([latents] * 2), timestep=self.time, encoder_hidden_states=self.text)
        return (latents - (1 - self.alpha) ** 0.5 * self.guided(noise, self.order.get("guidance", GUIDANCE))) / self.alpha**0.5


class Sampler(Pictures):
    pipeline, model = StableDiffusionPipeline, Model

    def others(self):
        return {"scheduler": DDIMScheduler.from_pretrained(self.order["checkpoint"], subfolder="scheduler")}  # that we sample by

    def given(self):
        text, negative = self.conditions
        return {"prompt_embeds": text, "negative_prompt_embeds": negative, "latents": self.latents.to(self.dtype)}
