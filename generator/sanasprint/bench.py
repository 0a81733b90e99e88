"""SANA-Sprint in PyTorch, for internal/bench: of an update the first step, from pure noise, or any; pictures."""

import itertools
import math

import torch
from diffusers import AutoencoderDC, SanaSprintPipeline, SanaTransformer2DModel
from diffusers.schedulers import scheduling_scm
from generators import Generator
from pipelines import Pictures

GUIDANCE, ANGLE = 4.5, 1.5708  # of pure noise


class Model(Generator):
    network, autoencoder = SanaTransformer2DModel, AutoencoderDC

    def prepare(self):
        text, self.mask = self.conditions
        self.text = text.to(self.dtype)
        guidance = self.order.get("guidance", GUIDANCE) * self.model.config.guidance_embeds_scale
        self.guidance = torch.full((1,), guidance, dtype=self.dtype)
        self.turn(ANGLE)

    def noise(self, latents):
        return latents[:, 0]  # behind it is the noise of the steps to come

    def go(self, scheduler, step):
        self.turn(scheduler.timesteps[step].item())

    def turn(self, angle):
        """Goes to an angle of the arc from clean latents to noise."""
        self.sine, self.cosine = math.sin(angle), math.cos(angle)
        self.time = torch.full((1,), self.sine / (self.sine + self.cosine))
        self.length = math.sqrt(self.time.item() ** 2 + (1 - self.time.item()) ** 2)

    def clean(self, latents):
        x, t = latents * self.length, self.time
        velocity = self.predict(
            x, encoder_hidden_states=self.text, encoder_attention_mask=self.mask, timestep=t, guidance=self.guidance,
        )
        direction = ((1 - 2 * t) * x + (1 - 2 * t + 2 * t * t) * velocity) / self.length
        return self.cosine * latents - self.sine * direction


class Sampler(Pictures):
    """The noise that the scheduler draws in its steps is our side's, too: it lies behind the first."""

    pipeline, model = SanaSprintPipeline, Model

    def given(self):
        text, mask = self.conditions
        return {
            "prompt_embeds": text, "prompt_attention_mask": mask, "latents": self.latents[:, 0], "use_resolution_binning": False,
        }

    def paint(self, **settings):
        # The last step draws noise, too, and takes none of it.
        noise = itertools.chain(self.latents[:, 1:].unbind(1), itertools.repeat(torch.zeros_like(self.latents[:, 0])))
        scheduling_scm.randn_tensor = lambda *args, **more: next(noise)
        return super().paint(**settings)

    def before(self, noise, step):
        return super().before(noise, step) / self.pipe.scheduler.config.sigma_data  # by which the pipeline's are longer
