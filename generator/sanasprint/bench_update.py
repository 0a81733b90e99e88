"""What BenchmarkUpdate measures, in PyTorch: milliseconds per update, eager and compiled.

    python generator/sanasprint/bench_update.py

Needs torch, diffusers and peft. Same sizes, float32, random weights. The depthwise
convolutions are adapted by dense kernels, as peft 0.14 did; newer versions refuse
them, so they get an adapter written here.
"""

import math
import time

import torch
from diffusers import AutoencoderDC, SanaTransformer2DModel
from peft import LoraConfig

SIDE, TEXT, RANK, WARM, RUNS, GUIDANCE, ANGLE = 256, 300, 16, 3, 10, 4.5, 1.5708
TARGETS = ["to_k", "to_q", "to_v", "to_out.0", "ff.conv_inverted", "ff.conv_point"]
CHANNELS, LAYERS = (16, 32, 64, 64, 128, 128), (2, 2, 2, 2, 2, 2)
BLOCKS, SCALES = ("ResBlock",) * 3 + ("EfficientViTBlock",) * 3, ((), (), (), (5,), (5,), (5,))


class Dense(torch.nn.Module):
    """A depthwise convolution with a dense adapter."""

    def __init__(self, base, scale):
        super().__init__()
        self.base, self.scale, channels = base, scale, base.in_channels
        self.a = torch.nn.Conv2d(channels, RANK, 3, padding=1, bias=False)
        self.b = torch.nn.Conv2d(RANK, channels, 1, bias=False)
        torch.nn.init.normal_(self.a.weight, std=1 / RANK)
        torch.nn.init.zeros_(self.b.weight)

    def forward(self, x):
        return self.base(x) + self.scale * self.b(self.a(x))


def main():
    torch.manual_seed(0)
    transformer = SanaTransformer2DModel(
        num_attention_heads=16, attention_head_dim=32, num_layers=8, num_cross_attention_heads=8,
        cross_attention_head_dim=64, cross_attention_dim=512, caption_channels=256, sample_size=SIDE // 32,
        guidance_embeds=True, qk_norm="rms_norm_across_heads",
    ).requires_grad_(False)
    vae = AutoencoderDC(
        encoder_block_types=BLOCKS, decoder_block_types=BLOCKS, encoder_block_out_channels=CHANNELS,
        decoder_block_out_channels=CHANNELS, encoder_layers_per_block=LAYERS, decoder_layers_per_block=LAYERS,
        encoder_qkv_multiscales=SCALES, decoder_qkv_multiscales=SCALES, upsample_block_type="interpolate",
        downsample_block_type="conv", scaling_factor=0.41407,
    ).requires_grad_(False)
    transformer.add_adapter(LoraConfig(r=RANK, lora_alpha=8, target_modules=TARGETS, init_lora_weights="gaussian"))
    for block in transformer.transformer_blocks:
        block.ff.conv_depth = Dense(block.ff.conv_depth, 5 * 8 / RANK)
    params = [p for p in transformer.parameters() if p.requires_grad]
    optimizer = torch.optim.AdamW(params, lr=5e-6, weight_decay=0)

    latents, target = torch.randn(1, 32, SIDE // 32, SIDE // 32), torch.randn(1, 3, SIDE, SIDE)
    text, mask, guidance = torch.randn(1, TEXT, 256), torch.zeros(1, TEXT), torch.full((1,), GUIDANCE * 0.1)
    mask[0, :20] = 1
    sine, cosine = math.sin(ANGLE), math.cos(ANGLE)
    t = torch.full((1,), sine / (sine + cosine))
    length = math.sqrt(t.item() ** 2 + (1 - t.item()) ** 2)

    def loss_of(latents):
        x = latents * length
        v = transformer(
            x, encoder_hidden_states=text, encoder_attention_mask=mask, timestep=t, guidance=guidance, return_dict=False,
        )[0]
        direction = ((1 - 2 * t) * x + (1 - 2 * t + 2 * t * t) * v) / length
        clean = cosine * latents - sine * direction
        picture = vae.decode(clean / 0.41407, return_dict=False)[0] / 2 + 0.5
        return ((picture - target) ** 2).mean()

    def update(loss_of):
        optimizer.zero_grad()
        loss_of(latents).backward()
        torch.nn.utils.clip_grad_norm_(params, 1.0)
        optimizer.step()

    for name, function in (("eager", loss_of), ("compiled", torch.compile(loss_of))):
        for _ in range(WARM):
            update(function)
        times = []
        for _ in range(RUNS):
            began = time.perf_counter()
            update(function)
            times.append(time.perf_counter() - began)
        times.sort()
        print(f"{name}: median {1000 * times[len(times) // 2]:.0f} ms, {torch.get_num_threads()} threads")


if __name__ == "__main__":
    main()
