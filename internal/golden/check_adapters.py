"""Loads adapter files that this library wrote in diffusers, and compares pictures.

    DUALPROCESS_ADAPTERS=/tmp/adapters go test -count=1 -run 'TestGolden/.*/.*/lora' ./generator/flux ./generator/sd
    python internal/golden/check_adapters.py internal/golden/testdata /tmp/adapters

The first command writes the adapter of each fixture in all the ways that Save
knows; scale 1 of each file stands for weight 5. The second needs what is in
requirements.txt. It exits with 1 if a picture is not the one that the fixture holds
for that weight. check_adapters.sh does both, in an environment of its own.

kohya's file is applied here by hand, to the weights: diffusers' converter takes
the sizes of the real model for granted. Sana's files cannot be checked so: today's
peft refuses the adapter of a depthwise convolution as the paper's peft made it.
"""

import json
import pathlib
import sys

import diffusers
import torch
import transformers
from diffusers import DDIMScheduler, FlowMatchEulerDiscreteScheduler, FluxPipeline, StableDiffusionPipeline
from safetensors import safe_open
from safetensors.torch import load_file

TOLERANCE = 1e-4  # of a picture in [0, 1]


def open_flux(folder):
    pipe = FluxPipeline.from_pretrained(folder)
    pipe.scheduler = FlowMatchEulerDiscreteScheduler.from_config(pipe.scheduler.config, use_dynamic_shifting=False)
    return pipe, lambda spec: {"max_sequence_length": spec["seq"]}


def open_sd(folder):
    pipe = StableDiffusionPipeline.from_pretrained(folder)
    pipe.scheduler = DDIMScheduler.from_config(pipe.scheduler.config)
    return pipe, lambda spec: {}


FAMILIES = {"flux": open_flux, "sd": open_sd}


def paint(pipe, more, spec, prompt, steps, latents):
    pipe.set_progress_bar_config(disable=True)
    pipe.to(torch.float32)
    with torch.no_grad():
        return pipe(
            prompt, height=spec["height"], width=spec["width"], num_inference_steps=steps,
            guidance_scale=spec["guidance"], latents=latents, output_type="pt", **more(spec),
        ).images


def fused_rows(name, width, mlp):
    """The layers of diffusers, with their heights, that make one of kohya's."""
    parts = name.removeprefix("lora_unet_").split("_")
    if parts[0] == "single":
        root = f"single_transformer_blocks.{parts[2]}."
        rest = "_".join(parts[3:])
        heights = {"attn.to_q": width, "attn.to_k": width, "attn.to_v": width, "proj_mlp": mlp}
        layers = {"linear1": heights, "linear2": {"proj_out": width}}[rest]
    else:
        root = f"transformer_blocks.{parts[2]}."
        rest = "_".join(parts[3:])
        layers = {
            "img_attn_qkv": {"attn.to_q": width, "attn.to_k": width, "attn.to_v": width},
            "txt_attn_qkv": {"attn.add_q_proj": width, "attn.add_k_proj": width, "attn.add_v_proj": width},
            "img_attn_proj": {"attn.to_out.0": width},
            "txt_attn_proj": {"attn.to_add_out": width},
            "img_mlp_0": {"ff.net.0.proj": mlp},
            "img_mlp_2": {"ff.net.2": width},
            "txt_mlp_0": {"ff_context.net.0.proj": mlp},
            "txt_mlp_2": {"ff_context.net.2": width},
        }[rest]
    return [(root + layer, height) for layer, height in layers.items()]


def apply_kohya(pipe, file):
    tensors = load_file(file)
    config = pipe.transformer.config
    width = config.num_attention_heads * config.attention_head_dim
    weights = dict(pipe.transformer.named_parameters())
    names = sorted({key.split(".")[0] for key in tensors})
    for name in names:
        down, up, alpha = (tensors[name + end] for end in (".lora_down.weight", ".lora_up.weight", ".alpha"))
        delta = alpha / down.shape[0] * up @ down
        row = 0
        for layer, height in fused_rows(name, width, 4 * width):
            with torch.no_grad():
                weights[layer + ".weight"] += delta[row : row + height]
            row += height
        assert row == delta.shape[0], name


def check(fixture, adapters):
    """Prints how far each file's picture is off, and returns whether all are right."""
    about = json.loads((fixture / "golden.json").read_text())
    golden = safe_open(fixture / "golden.safetensors", "pt")
    spec, keys = about["spec"], set(golden.keys())
    if spec["family"] not in FAMILIES:
        print(f"{fixture.name}: no check for {spec['family']}")
        return True
    steps = next(n for n in range(100) if f"sample.ref.n{n}.image01" in keys)
    want = (golden.get_tensor("lora.inmem.w5.image_raw") / 2 + 0.5).clamp(0, 1)
    right = True
    for file in sorted(adapters.glob("*.safetensors")):
        pipe, more = FAMILIES[spec["family"]](fixture / "model")
        if file.stem.startswith("kohya"):
            apply_kohya(pipe, file)
        else:
            pipe.load_lora_weights(file)
        image = paint(pipe, more, spec, about["prompt"], steps, golden.get_tensor("in.latents"))
        off = (image - want).abs().max().item()
        print(f"{fixture.name}/{file.name}: off by {off:.2e}", "" if off <= TOLERANCE else "TOO MUCH")
        right &= off <= TOLERANCE
    return right


def main(fixtures, adapters):
    for library in (diffusers, transformers):
        library.utils.logging.set_verbosity_error()
        library.utils.logging.disable_progress_bar()
    folders = sorted({file.parent.relative_to(adapters) for file in adapters.rglob("*.safetensors")})
    if not folders:
        print(f"no adapters in {adapters}")
        return 1
    return int(not all([check(fixtures / folder, adapters / folder) for folder in folders]))


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    sys.exit(main(pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2])))
