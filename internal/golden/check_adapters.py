"""Loads adapter files that this library wrote in diffusers, and compares pictures.

    export DUALPROCESS_ADAPTERS=/tmp/adapters
    go test -count=1 -run 'TestGolden/.*/.*/lora' ./generator/flux ./generator/flux2 ./generator/sd ./generator/sana ./generator/sanasprint ./generator/zimage
    go test -count=1 -run TestAdapterFile ./examples/checkpoints
    go test -count=1 -run TestInputs ./lora
    python internal/golden/check_adapters.py internal/golden/testdata /tmp/adapters

The first test writes the adapter of each fixture in all the ways that Save knows;
scale 1 of each file stands for weight 5, and the picture must be the one that the
fixture holds for it. It also writes one of random numbers for all kinds of layers that
a naming has, in several namings, and the pictures must be the same. The second runs
examples/checkpoints with a generator of each family and keeps the file that the example
wrote, with our pictures before and after; in diffusers the picture must be the same
without the file, and the same with it. The third reads files that people have and saves
them again; diffusers must find the same layers and numbers in the original. The check
needs what is in requirements.txt and exits with 1 if a picture or a number is another.
check_adapters.sh does all of it, in an environment of its own.

Two things are applied here by hand. One is kohya's file for FLUX.1, to the weights:
diffusers' converter takes the sizes of the real model for granted. The other is Sana's
adapter of its depthwise convolutions, as hooks, after diffusers has loaded the rest of
the file: since version 0.17 peft refuses that adapter as the paper's peft made it.
"""

import json
import pathlib
import re
import sys
import tempfile

import diffusers
import numpy
import torch
import transformers
from diffusers import (
    DDIMScheduler, DiffusionPipeline, FlowMatchEulerDiscreteScheduler, Flux2KleinPipeline, FluxPipeline, SanaPipeline,
    SanaSprintPipeline, StableDiffusionPipeline, ZImagePipeline,
)
from diffusers.schedulers import scheduling_scm
from PIL import Image
from safetensors import safe_open
from safetensors.torch import load_file, save_file

TOLERANCE = 1e-4  # of a picture in [0, 1]
ROUNDING = 0.5 / 255  # of a picture that was stored in 8 bits
CHANGE = 0.1  # that an adapter must make, or it would not be seen whether it does


def open_flux(folder):
    pipe = FluxPipeline.from_pretrained(folder)
    pipe.scheduler = FlowMatchEulerDiscreteScheduler.from_config(pipe.scheduler.config, use_dynamic_shifting=False)
    return pipe, lambda spec: {"max_sequence_length": spec["seq"]}


def open_flux2(folder):
    return Flux2KleinPipeline.from_pretrained(folder), lambda spec: {"max_sequence_length": spec["seq"]}


def open_sd(folder):
    pipe = StableDiffusionPipeline.from_pretrained(folder)
    pipe.scheduler = DDIMScheduler.from_config(pipe.scheduler.config)
    return pipe, lambda spec: {}


def open_sana(folder):
    pipe = SanaPipeline.from_pretrained(folder)
    pipe.scheduler = FlowMatchEulerDiscreteScheduler.from_config(pipe.scheduler.config)
    return pipe, lambda spec: {
        "use_resolution_binning": False, "complex_human_instruction": None, "max_sequence_length": spec["seq"],
    }


def open_sana_sprint(folder):
    pipe = SanaSprintPipeline.from_pretrained(folder)
    return pipe, lambda spec: {"use_resolution_binning": False, "max_sequence_length": spec["seq"]}


def open_z_image(folder):
    return ZImagePipeline.from_pretrained(folder), lambda spec: {"max_sequence_length": spec["seq"]}


FAMILIES = {
    "flux": open_flux, "flux2": open_flux2, "sd": open_sd, "sana": open_sana, "sana_sprint": open_sana_sprint,
    "z_image": open_z_image,
}


def paint(pipe, prompt, latents, **settings):
    pipe.set_progress_bar_config(disable=True)
    if isinstance(pipe, Flux2KleinPipeline):  # which wants them unpacked
        latents = latents.transpose(1, 2).unflatten(2, (settings["height"] // 16, settings["width"] // 16))
    pipe.to(torch.float32)
    with torch.no_grad():
        return pipe(prompt=prompt, latents=latents, output_type="pt", **settings).images


def load(pipe, file):
    """Loads a file as a user does, but for what peft refuses."""
    if not isinstance(pipe, (SanaPipeline, SanaSprintPipeline)):
        pipe.load_lora_weights(file)
        return
    with safe_open(file, "pt") as opened:
        tensors, header = {key: opened.get_tensor(key) for key in opened.keys()}, opened.metadata()
    settings = json.loads(header["lora_adapter_metadata"])
    for name in [name for name in settings["transformer.target_modules"] if name.endswith(".conv_depth")]:
        a, b = (tensors.pop(f"transformer.{name}.lora_{matrix}.weight") for matrix in "AB")
        scale = settings["transformer.alpha_pattern"].get(name, settings["transformer.lora_alpha"]) / len(a)
        settings["transformer.target_modules"].remove(name)
        pipe.transformer.get_submodule(name).register_forward_hook(depthwise(a, b, scale))
    header["lora_adapter_metadata"] = json.dumps(settings)
    with tempfile.TemporaryDirectory() as folder:
        rest = pathlib.Path(folder) / "rest.safetensors"
        save_file(tensors, rest, header)
        pipe.load_lora_weights(rest)


def depthwise(a, b, scale):
    def hook(layer, inputs, output):
        low = torch.nn.functional.conv2d(inputs[0], a, stride=layer.stride, padding=layer.padding)
        return output + scale * torch.nn.functional.conv2d(low, b)

    return hook


BLOCKS = {
    "double_blocks": ("transformer_blocks", {
        "img_attn_qkv": ["attn.to_q", "attn.to_k", "attn.to_v"],
        "txt_attn_qkv": ["attn.add_q_proj", "attn.add_k_proj", "attn.add_v_proj"],
        "img_attn_proj": ["attn.to_out.0"],
        "txt_attn_proj": ["attn.to_add_out"],
        "img_mlp_0": ["ff.net.0.proj"],
        "img_mlp_2": ["ff.net.2"],
        "txt_mlp_0": ["ff_context.net.0.proj"],
        "txt_mlp_2": ["ff_context.net.2"],
        "img_mod_lin": ["norm1.linear"],
        "txt_mod_lin": ["norm1_context.linear"],
    }),
    "single_blocks": ("single_transformer_blocks", {
        "linear1": ["attn.to_q", "attn.to_k", "attn.to_v", "proj_mlp"],
        "linear2": ["proj_out"],
        "modulation_lin": ["norm.linear"],
    }),
}
AROUND = {
    "img_in": "x_embedder", "txt_in": "context_embedder", "final_layer_linear": "proj_out",
    "final_layer_adaLN_modulation_1": "norm_out.linear",
    **{
        f"{theirs}_in_{end}_layer": f"time_text_embed.{ours}_embedder.linear_{k}"
        for theirs, ours in {"time": "timestep", "vector": "text", "guidance": "guidance"}.items()
        for k, end in enumerate(["in", "out"], 1)
    },
}


def fused(name):
    """The layers of diffusers that make one of kohya's, in the order of their rows."""
    name = name.removeprefix("lora_unet_")
    if name in AROUND:
        return [AROUND[name]]
    kind, number, rest = re.fullmatch(r"(double_blocks|single_blocks)_(\d+)_(.*)", name).groups()
    root, layers = BLOCKS[kind]
    return [f"{root}.{number}.{layer}" for layer in layers[rest]]


def apply_kohya(pipe, file):
    tensors = load_file(file)
    weights = dict(pipe.transformer.named_parameters())
    names = sorted({key.split(".")[0] for key in tensors})
    for name in names:
        down, up, alpha = (tensors[name + end] for end in (".lora_down.weight", ".lora_up.weight", ".alpha"))
        delta = alpha / down.shape[0] * up @ down
        if name.endswith("adaLN_modulation_1"):  # shift and scale are the other way round
            delta = torch.cat(delta.chunk(2)[::-1])
        row = 0
        for layer in fused(name):
            weight = weights[layer + ".weight"]
            with torch.no_grad():
                weight += delta[row : row + len(weight)]
            row += len(weight)
        assert row == delta.shape[0], name


def scene(fixture):
    """How to make the fixture's picture: with a file, or as the pipeline is."""
    about = json.loads((fixture / "golden.json").read_text())
    golden = safe_open(fixture / "golden.safetensors", "pt")
    spec, keys = about["spec"], set(golden.keys())
    steps = next(n for n in range(100) if f"sample.ref.n{n}.image01" in keys)

    def make(file=None):
        if "in.step_noise" in keys:  # which the fixture has in place of what the scheduler draws
            noise = golden.get_tensor("in.step_noise")
            scheduling_scm.randn_tensor = lambda *args, **more: noise
        pipe, more = FAMILIES[spec["family"]](fixture / "model")
        if file and file.stem.startswith("kohya") and spec["family"] == "flux":
            apply_kohya(pipe, file)
        elif file:
            load(pipe, file)
        return paint(
            pipe, about["prompt"], golden.get_tensor("in.latents"), height=spec["height"], width=spec["width"],
            num_inference_steps=steps, guidance_scale=spec["guidance"], **more(spec),
        )

    return make, golden


def check(fixture, adapters):
    """Prints how far each file's picture is off, and returns whether all are right."""
    make, golden = scene(fixture)
    want = (golden.get_tensor("lora.inmem.w5.image_raw") / 2 + 0.5).clamp(0, 1)
    right = True
    for file in sorted(adapters.glob("*.safetensors")):
        off = (make(file) - want).abs().max().item()
        print(f"{fixture.name}/{file.name}: off by {off:.2e}", "" if off <= TOLERANCE else "TOO MUCH")
        right &= off <= TOLERANCE
    return right


def check_same(fixture, folder):
    """The same for files of one adapter, which must change the picture alike."""
    make, _ = scene(fixture)
    base, (first, *others) = make(), [make(file) for file in sorted(folder.glob("*.safetensors"))]
    change, off = (first - base).abs().max().item(), max((other - first).abs().max().item() for other in others)
    right = off <= TOLERANCE and change >= CHANGE
    print(f"{fixture.name}/same: off by {off:.2e} after a change of {change:.2f}", "" if right else "WRONG")
    return right


INPUTS = pathlib.Path(__file__).parents[2] / "lora" / "testdata" / "inputs"
UNREAD = {"flux_default_name", "flux_comfy_AB", "sd_wrong_prefix"}  # by diffusers 0.42, which finds no layers in them


def check_input(file):
    """Compares what we read in a file that people have with what diffusers reads."""
    flux = file.stem.startswith("flux")
    if file.stem in UNREAD:
        print(f"inputs/{file.name}: not read by diffusers")
        return True
    pipeline, options = (FluxPipeline, {"return_alphas": True}) if flux else (StableDiffusionPipeline, {})
    theirs, alphas, *_ = pipeline.lora_state_dict(INPUTS / file.name, **options)
    prefix = "transformer." if flux else "unet."
    scales = {plain(key): float(alpha) for key, alpha in (alphas or {}).items()}
    want, got = changes(theirs, prefix, scales), changes(load_file(file), prefix, {})
    off = max(((want[name] - got[name]).abs().max() / want[name].abs().max()).item() for name in want.keys() & got.keys())
    right = want.keys() == got.keys() and off <= 1e-6
    print(f"inputs/{file.name}: {len(got)} layers off by {off:.2e}", "" if right else "WRONG")
    return right


def plain(key):
    """A layer's name out of that of one of its tensors, or of its alpha."""
    key = re.sub(r"(\.lora_[AB]|\.lora\.(down|up)|(?<=_lora)\.(down|up))?(\.weight)?(\.alpha)?$", "", key)
    if key.endswith("_lora"):
        key = key.removesuffix("_lora").replace(".processor.", ".")
        key += ".0" if key.endswith(".to_out") else ""
    return key


def changes(tensors, prefix, alphas):
    """What an adapter adds to the weights of each linear layer."""
    a, b = {}, {}
    for key, value in tensors.items():
        if key.startswith(prefix) and not key.endswith(".alpha"):
            (a if re.search(r"lora_A|[._]lora\.down", key) else b)[plain(key)] = value.float()
    return {name: alphas.get(name, len(a[name])) / len(a[name]) * b[name] @ a[name] for name in a}


def check_example(fixtures, folder):
    """The same for a file of examples/checkpoints, and the pipeline as it stands."""
    about = json.loads((folder / "example.json").read_text())
    pipe = DiffusionPipeline.from_pretrained(fixtures / about["model"])
    more = {}
    if about["family"] == "sd":
        pipe.scheduler = DDIMScheduler.from_config(pipe.scheduler.config)  # the one that we have
    if about["family"] in ("sana", "sana_sprint"):
        more["use_resolution_binning"] = False  # the pictures are small
    if about["family"] == "z_image":
        more["guidance_scale"] = 0  # the turbo models have none
    latents = load_file(folder / "latents.safetensors")["latents"]
    if about["family"] == "sana_sprint":  # behind the first noise is what the scheduler draws in its steps
        noise = latents[:, 1]
        latents, scheduling_scm.randn_tensor = latents[:, 0], lambda *args, **more: noise
    ours = [picture(folder / name) for name in ("before.png", "after.png")]
    theirs = []
    for step in (lambda: None, lambda: load(pipe, folder / "adapter.safetensors")):
        step()
        theirs.append(paint(
            pipe, about["prompt"], latents, height=about["side"], width=about["side"],
            num_inference_steps=about["steps"], **more,
        ))
    off = [(a - b).abs().max().item() for a, b in zip(ours, theirs)]
    change = (theirs[1] - theirs[0]).abs().max().item()
    right = max(off) <= ROUNDING + TOLERANCE and change >= CHANGE
    print(
        f"example/{about['family']}: off by {off[0]:.2e} before and {off[1]:.2e} after a change of {change:.2f}",
        "" if right else "WRONG",
    )
    return right


def picture(file):
    """A picture as pipelines return it, [1, 3, height, width]."""
    return torch.from_numpy(numpy.array(Image.open(file).convert("RGB"))).permute(2, 0, 1)[None] / 255


def main(fixtures, adapters):
    for library in (diffusers, transformers):
        library.utils.logging.set_verbosity_error()
        library.utils.logging.disable_progress_bar()
    folders = sorted({file.parent for file in adapters.rglob("*.safetensors")})
    if not folders:
        print(f"no adapters in {adapters}")
        return 1
    def check_any(folder):
        if (folder / "example.json").exists():
            return check_example(fixtures, folder)
        if folder.name == "inputs":
            return all([check_input(file) for file in sorted(folder.glob("*.safetensors"))])
        if folder.name == "same":
            return check_same(fixtures / folder.parent.relative_to(adapters), folder)
        return check(fixtures / folder.relative_to(adapters), folder)

    return int(not all([check_any(folder) for folder in folders]))


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    sys.exit(main(pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2])))
