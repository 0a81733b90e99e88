"""FLUX.2 klein in PyTorch, for internal/bench: of an update the first step, from pure noise, or any; pictures."""

import torch
from diffusers import AutoencoderKLFlux2, Flux2KleinPipeline, Flux2Transformer2DModel
from generators import Generator
from pipelines import Pictures


class Model(Generator):
    network, autoencoder = Flux2Transformer2DModel, AutoencoderKLFlux2

    def prepare(self):
        self.rows, (text,) = self.order["side"] // 16, self.conditions
        self.text, self.time, self.sigma = text.to(self.dtype), torch.ones(1, dtype=self.dtype), 1
        one, places = torch.arange(1), torch.arange(self.rows)
        self.ids = torch.cartesian_prod(one, places, places, one)
        self.text_ids = torch.cartesian_prod(one, one, one, torch.arange(text.shape[1]))
        norm = self.vae.bn
        self.mean, self.deviation = norm.running_mean.float(), torch.sqrt(norm.running_var.float() + self.vae.config.batch_norm_eps)

    def go(self, scheduler, step):
        self.time, self.sigma = (scheduler.timesteps[step : step + 1] / 1000).to(self.dtype), scheduler.sigmas[step]

    def clean(self, latents):
        return latents - self.sigma * self.predict(
            latents, encoder_hidden_states=self.text, timestep=self.time, img_ids=self.ids, txt_ids=self.text_ids,
        )

    def decode(self, clean):
        x = (clean * self.deviation + self.mean).view(1, self.rows, self.rows, -1, 2, 2).permute(0, 3, 1, 4, 2, 5)
        x = x.reshape(1, -1, 2 * self.rows, 2 * self.rows)
        return self.vae.decode(x.to(self.dtype), return_dict=False)[0].float()


class Sampler(Pictures):
    pipeline, model = Flux2KleinPipeline, Model

    def given(self):
        rows, (text,) = self.order["side"] // 16, self.conditions
        return {"prompt_embeds": text, "latents": self.latents.transpose(1, 2).unflatten(2, (rows, rows))}
