"""Loads adapter files that this library wrote in diffusers, and compares pictures.

    DUALPROCESS_ADAPTERS=/tmp/adapters go test -count=1 -run 'TestGolden/.*/.*/lora' ./generator/flux
    python internal/golden/check_adapters.py internal/golden/testdata/generator/flux_schnell /tmp/adapters/generator/flux_schnell

The first command writes the adapter of each fixture in all the ways that Save
knows; scale 1 of each file stands for weight 5. The second needs torch, diffusers,
peft, transformers, sentencepiece and protobuf. It exits with 1 if a picture is not
the one that the fixture holds for that weight.

kohya's file is applied here by hand, to the weights: diffusers' converter takes
the sizes of the real model for granted.
"""

import json
import pathlib
import sys

import diffusers
import torch
import transformers
from diffusers import FlowMatchEulerDiscreteScheduler, FluxPipeline
from safetensors import safe_open
from safetensors.torch import load_file

TOLERANCE = 1e-4  # of a picture in [0, 1]


def open_pipeline(fixture):
    pipe = FluxPipeline.from_pretrained(fixture / "model", torch_dtype=torch.float32)
    pipe.scheduler = FlowMatchEulerDiscreteScheduler.from_config(pipe.scheduler.config, use_dynamic_shifting=False)
    pipe.set_progress_bar_config(disable=True)
    return pipe


def paint(pipe, spec, prompt, steps, latents):
    with torch.no_grad():
        return pipe(
            prompt, height=spec["height"], width=spec["width"], num_inference_steps=steps,
            guidance_scale=spec["guidance"], latents=latents, max_sequence_length=spec["seq"], output_type="pt",
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


def main(fixture, adapters):
    diffusers.utils.logging.disable_progress_bar()
    transformers.utils.logging.disable_progress_bar()
    about = json.loads((fixture / "golden.json").read_text())
    golden = safe_open(fixture / "golden.safetensors", "pt")
    spec, keys = about["spec"], set(golden.keys())
    steps = next(n for n in range(100) if f"sample.ref.n{n}.image01" in keys)
    want = (golden.get_tensor("lora.inmem.w5.image_raw") / 2 + 0.5).clamp(0, 1)
    failed = not list(adapters.glob("*.safetensors"))
    for file in sorted(adapters.glob("*.safetensors")):
        pipe = open_pipeline(fixture)
        if file.stem.startswith("kohya"):
            apply_kohya(pipe, file)
        else:
            pipe.load_lora_weights(file)
        image = paint(pipe, spec, about["prompt"], steps, golden.get_tensor("in.latents"))
        off = (image - want).abs().max().item()
        print(f"{file.name}: off by {off:.2e}", "" if off <= TOLERANCE else "TOO MUCH")
        failed |= off > TOLERANCE
    return int(failed)


if __name__ == "__main__":
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    sys.exit(main(pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2])))
