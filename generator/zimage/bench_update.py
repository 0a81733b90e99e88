"""What BenchmarkUpdate measures, in PyTorch: milliseconds per update, eager and compiled.

    python generator/zimage/bench_update.py

Needs torch, diffusers and peft. Same sizes, float32, random weights.
"""

import time

import torch
from diffusers import AutoencoderKL, ZImageTransformer2DModel
from peft import LoraConfig

SIDE, TEXT, RANK, WARM, RUNS = 256, 64, 16, 3, 10
TARGETS = ["to_q", "to_k", "to_v", "to_out.0"]


def main():
    torch.manual_seed(0)
    transformer = ZImageTransformer2DModel(
        dim=512, n_layers=10, n_refiner_layers=2, n_heads=8, n_kv_heads=8, cap_feat_dim=256, axes_dims=[16, 24, 24],
        axes_lens=[1536, 512, 512],
    ).requires_grad_(False)
    vae = AutoencoderKL(
        down_block_types=("DownEncoderBlock2D",) * 4, up_block_types=("UpDecoderBlock2D",) * 4,
        block_out_channels=(32, 64, 64, 64), layers_per_block=1, norm_num_groups=8, latent_channels=16,
        use_quant_conv=False, use_post_quant_conv=False,
    ).requires_grad_(False)
    transformer.add_adapter(LoraConfig(r=RANK, lora_alpha=8, target_modules=TARGETS, init_lora_weights="gaussian"))
    params = [p for p in transformer.parameters() if p.requires_grad]
    optimizer = torch.optim.AdamW(params, lr=1e-4, weight_decay=0)

    latents, target, text = torch.randn(1, 16, SIDE // 8, SIDE // 8), torch.randn(1, 3, SIDE, SIDE), torch.randn(TEXT, 256)
    t = torch.zeros(1)

    def loss_of(latents):
        v = -transformer([latents[0].unsqueeze(1)], t, [text], return_dict=False)[0][0].squeeze(1)[None]
        picture = vae.decode((latents - v) / 0.3611, return_dict=False)[0] / 2 + 0.5
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
