"""What the generators' updates share: an update of an adapter, by the distance of a picture from another or, in pairs.py, by
what a verifier says of it.

The conditions, the noise, the other picture and the adapter's first A are those of our side, which wrote them.
"""

import re

import diffusers
import torch
from orders import DTYPES, handed
from peft import LoraConfig

diffusers.utils.logging.set_verbosity_error()  # it lists the weights of the encoder that is not there


def opened(model, order, folder):
    """A part of the checkpoint. What the files lack, such as an encoder of pictures, is not used."""
    part = model.from_pretrained(order["checkpoint"], subfolder=folder, torch_dtype=DTYPES[order["dtype"]], low_cpu_mem_usage=False)
    return part.requires_grad_(False).eval()


class Dense(torch.nn.Module):
    """A convolution in groups with a dense adapter, as peft 0.14 made it; newer versions refuse to."""

    def __init__(self, base, a, b, scale):
        super().__init__()
        self.base, self.scale = base, scale
        self.a, self.b = torch.nn.Parameter(a), torch.nn.Parameter(b)

    def forward(self, x):
        low = torch.nn.functional.conv2d(x.float(), self.a, stride=self.base.stride, padding=self.base.padding)
        return self.base(x) + (self.scale * torch.nn.functional.conv2d(low, self.b)).to(x.dtype)


class Generator:
    """A subclass names the classes of the network and of the autoencoder, and says what clean latents are predicted."""

    network, folder, autoencoder = None, "transformer", None

    def __init__(self, order):
        self.order, self.dtype = order, DTYPES[order["dtype"]]
        self.about, self.inputs = handed(order)
        self.latents = self.noise(self.inputs["latents"])
        self.conditions = [self.inputs[f"condition{k}"] for k in range(self.about["conditions"])]
        self.model = opened(self.network, order, self.folder)
        self.vae = opened(self.autoencoder, order, "vae")
        self.params = self.adapt()
        self.optimizer = torch.optim.AdamW(self.params, lr=self.about["rate"], weight_decay=0, fused=True)
        self.loss_of = self.loss
        self.prepare()

    def noise(self, latents):
        """What is denoised of our side's latents."""
        return latents

    def adapt(self):
        """Puts the adapter into the network, and returns its numbers."""
        matrices = {name[2:]: x for name, x in self.inputs.items() if name.startswith("A/")}
        rank, alpha = self.about["rank"], self.about["alpha"] * self.about["weight"]
        grouped = [name for name in matrices if getattr(self.model.get_submodule(name), "groups", 1) > 1]
        plain = "|".join(re.escape(name) for name in matrices if name not in grouped)
        self.model.add_adapter(LoraConfig(r=rank, lora_alpha=alpha, target_modules=plain))
        for name, a in matrices.items():
            if name in grouped:
                base = self.model.get_submodule(name)
                b = torch.zeros(base.out_channels, rank, 1, 1)
                self.model.set_submodule(name, Dense(base, a, b, alpha / rank))
                continue
            layer = self.model.get_submodule(name)
            low, high = layer.lora_A["default"].weight, layer.lora_B["default"].weight
            assert low.shape == a.shape, (name, low.shape, a.shape)
            low.data, high.data = a.clone(), torch.zeros(high.shape)
        params = [p for p in self.model.parameters() if p.requires_grad]
        assert len(params) == 2 * len(matrices), "layers are adapted that our side does not adapt"
        return params

    def layers(self):
        """Names of the adapted layers, each with its A and B."""
        for name in self.inputs:
            if name.startswith("A/"):
                layer = self.model.get_submodule(name[2:])
                dense = isinstance(layer, Dense)
                yield name[2:], *((layer.a, layer.b) if dense else (layer.lora_A["default"].weight, layer.lora_B["default"].weight))

    def prepare(self):
        """What does not change from update to update. It goes to the step of an update by the distance of pictures."""

    def go(self, scheduler, step):
        """Goes to a step of a pipeline's scheduler."""
        raise NotImplementedError

    def clean(self, latents):
        """The clean latents that the network predicts at the step, as the autoencoder reads them but for its scale."""
        raise NotImplementedError

    def predict(self, latents, **inputs):
        """The network's prediction for latents and whatever else it reads."""
        return self.model(latents.to(self.dtype), return_dict=False, **inputs)[0].float()

    def guided(self, predictions, guidance):
        """The prediction after guidance of those without the prompt and with it."""
        without, given = predictions.chunk(2)
        return without + guidance * (given - without)

    def decode(self, clean):
        config = self.vae.config
        latents = clean / config.scaling_factor + (getattr(config, "shift_factor", None) or 0)
        return self.vae.decode(latents.to(self.dtype), return_dict=False)[0].float()

    def picture(self, latents):
        return self.decode(self.clean(latents)) / 2 + 0.5

    def loss(self):
        target = self.inputs["target"].permute(0, 3, 1, 2)
        return ((self.picture(self.latents) - target) ** 2).mean()

    def compile(self):
        self.loss_of = torch.compile(self.loss)

    def run(self):
        loss = self.loss_of()
        loss.backward()
        return loss.item(), self.update()

    def update(self):
        """Takes the gradient into the adapter, and returns the norm that it had."""
        norm = torch.nn.utils.clip_grad_norm_(self.params, self.about["clip"])
        self.optimizer.step()
        self.optimizer.zero_grad()
        return norm.item()
