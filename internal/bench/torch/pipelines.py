"""What the generators' samplers share: pictures by diffusers' own pipeline, with the adapter's file that our side wrote.

The conditions and the noise are those of our side, which wrote them: the pipeline is without its text encoders.
"""

import json
import pathlib
import tempfile

import torch
from generators import Dense, opened
from orders import DTYPES, handed
from safetensors import safe_open
from safetensors.torch import load_file, save_file


class Pictures:
    """A subclass names the pipeline and the update's class, whose parts it takes, and says what the pipeline is given."""

    pipeline, model = None, None

    def __init__(self, order, beside=None):
        """Beside an update's model it paints with the network that is trained there."""
        self.order, self.dtype = order, DTYPES[order["dtype"]]
        about, self.inputs = handed(order)
        self.latents = self.inputs["latents"]
        self.conditions = [self.condition(self.inputs[f"condition{k}"]) for k in range(about["conditions"])]
        self.network = beside.model if beside else opened(self.model.network, order, self.model.folder)
        vae = beside.vae if beside else opened(self.model.autoencoder, order, "vae")
        names = self.pipeline.load_config(order["checkpoint"])
        parts = {name: None for name in names if name.startswith(("text_encoder", "tokenizer"))}  # what reads prompts
        parts |= {self.model.folder: self.network, "vae": vae, **self.others()}
        self.pipe = self.pipeline.from_pretrained(order["checkpoint"], torch_dtype=self.dtype, **parts)
        self.pipe.set_progress_bar_config(disable=True)
        if not beside:
            self.load(order["adapter"])

    def condition(self, x):
        """A condition of one prompt for all pictures of a batch."""
        return x.to(self.dtype).expand(self.order["batch"], *x.shape[1:]).contiguous()

    def others(self):
        """Parts of the pipeline that are not the checkpoint's."""
        return {}

    def given(self):
        """What the pipeline is called with."""
        raise NotImplementedError

    def load(self, path):
        """Loads an adapter's file as a user does, but for dense ones of convolutions in groups: peft has refused them since 0.17."""
        with safe_open(path, "pt") as file:
            tensors, header = {key: file.get_tensor(key) for key in file.keys()}, file.metadata()
        prefix, settings = self.model.folder, json.loads(header["lora_adapter_metadata"])
        names, alphas = settings[f"{prefix}.target_modules"], settings[f"{prefix}.alpha_pattern"]
        grouped = [name for name in names if getattr(self.network.get_submodule(name), "groups", 1) > 1]
        if not grouped:
            self.pipe.load_lora_weights(path)
            return
        bases = {}
        for name in grouped:
            names.remove(name)
            a, b = (tensors.pop(f"{prefix}.{name}.lora_{matrix}.weight") for matrix in "AB")
            scale = alphas.pop(name, settings[f"{prefix}.lora_alpha"]) / len(a)
            bases[name] = Dense(self.network.get_submodule(name), a, b, scale)
        with tempfile.TemporaryDirectory() as folder:
            rest = pathlib.Path(folder) / "rest.safetensors"
            save_file(tensors, rest, header | {"lora_adapter_metadata": json.dumps(settings)})
            self.pipe.load_lora_weights(rest)
        for name, dense in bases.items():
            self.network.set_submodule(name, dense)

    def compile(self):
        self.network.compile()
        self.pipe.vae.decode = torch.compile(self.pipe.vae.decode)

    def paint(self, **settings):
        """Runs the pipeline."""
        order = self.order
        if "guidance" in order:
            settings["guidance_scale"] = order["guidance"]
        return self.pipe(height=order["side"], width=order["side"], num_inference_steps=order["steps"], **self.given(), **settings).images

    def before(self, noise, step):
        """The latents of a step, those before it taken by the pipeline, which knows no gradient."""
        self.latents, reached = noise, {}

        def look(pipe, taken, time, state):
            if taken == step - 1:
                reached.update(state)
                pipe._interrupt = True  # as diffusers' guide says: the steps to come do nothing
            return {}

        self.paint(output_type="latent", callback_on_step_end=look)
        return reached["latents"]

    def run(self):
        self.pictures = self.paint(output_type="pt").float()
        return self.pictures.mean().item(), self.pictures.square().mean().sqrt().item()

    def apart(self):
        """How far the latest pictures are from ours: the root of the mean square of all pixels' differences."""
        ours = load_file(self.order["pictures"])["pictures"].permute(0, 3, 1, 2)
        return (self.pictures - ours).square().mean().sqrt().item()
