"""FLUX in PyTorch, for internal/bench: of an update the first step, from pure noise, or any; pictures."""

import torch
from diffusers import AutoencoderKL, FluxPipeline, FluxTransformer2DModel
from generators import Generator
from pipelines import Pictures


class Model(Generator):
    network, autoencoder = FluxTransformer2DModel, AutoencoderKL

    def prepare(self):
        self.rows = self.order["side"] // 16
        text, pooled = self.conditions
        self.text, self.pooled = text.to(self.dtype), pooled.to(self.dtype)
        ids = torch.zeros(self.rows, self.rows, 3)
        ids[..., 1], ids[..., 2] = torch.arange(self.rows)[:, None], torch.arange(self.rows)[None]
        self.ids, self.text_ids = ids.reshape(-1, 3), torch.zeros(text.shape[1], 3)
        self.time, self.sigma = torch.ones(1, dtype=self.dtype), 1

    def go(self, scheduler, step):
        self.time, self.sigma = (scheduler.timesteps[step : step + 1] / 1000).to(self.dtype), scheduler.sigmas[step]

    def clean(self, latents):
        velocity = self.predict(
            latents, encoder_hidden_states=self.text, pooled_projections=self.pooled, timestep=self.time,
            img_ids=self.ids, txt_ids=self.text_ids,
        )
        clean = (latents - self.sigma * velocity).view(1, self.rows, self.rows, 16, 2, 2).permute(0, 3, 1, 4, 2, 5)
        return clean.reshape(1, 16, 2 * self.rows, 2 * self.rows)


class Sampler(Pictures):
    pipeline, model = FluxPipeline, Model

    def given(self):
        text, pooled = self.conditions
        return {"prompt_embeds": text, "pooled_prompt_embeds": pooled, "latents": self.latents}
