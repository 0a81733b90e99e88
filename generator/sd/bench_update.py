"""What BenchmarkUpdate measures, in PyTorch: milliseconds per update, eager and compiled.

    python generator/sd/bench_update.py

Needs torch, diffusers and peft. Same sizes, float32, random weights.
"""

import time

import torch
from diffusers import AutoencoderKL, DDIMScheduler, UNet2DConditionModel
from peft import LoraConfig

SIDE, TEXT, WIDTH, RANK, GUIDANCE, WARM, RUNS = 256, 77, 256, 16, 7.5, 3, 10


def main():
    torch.manual_seed(0)
    unet = UNet2DConditionModel(
        block_out_channels=(64, 128, 256, 256), layers_per_block=1, cross_attention_dim=WIDTH,
    ).requires_grad_(False)
    vae = AutoencoderKL(
        block_out_channels=(32, 64, 64, 64), layers_per_block=1, norm_num_groups=8, latent_channels=4,
        down_block_types=("DownEncoderBlock2D",) * 4, up_block_types=("UpDecoderBlock2D",) * 4, scaling_factor=0.18215,
    ).requires_grad_(False)
    unet.add_adapter(LoraConfig(
        r=RANK, lora_alpha=8, target_modules=["to_k", "to_q", "to_v", "to_out.0"], init_lora_weights="gaussian"))
    params = [p for p in unet.parameters() if p.requires_grad]
    optimizer = torch.optim.AdamW(params, lr=5e-5, weight_decay=0)

    scheduler = DDIMScheduler()
    scheduler.set_timesteps(50)
    t = scheduler.timesteps[25]
    alpha = scheduler.alphas_cumprod[t]
    latents, target = torch.randn(1, 4, SIDE // 8, SIDE // 8), torch.randn(1, 3, SIDE, SIDE)
    text = torch.randn(2, TEXT, WIDTH)

    def loss_of(latents):
        negative, wanted = unet(torch.cat([latents, latents]), t, text, return_dict=False)[0].chunk(2)
        noise = negative + GUIDANCE * (wanted - negative)
        clean = (latents - (1 - alpha) ** 0.5 * noise) / alpha**0.5
        picture = vae.decode(clean / 0.18215, return_dict=False)[0] / 2 + 0.5
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
