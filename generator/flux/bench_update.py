"""What BenchmarkUpdate measures, in PyTorch: milliseconds per update, eager and compiled.

    python generator/flux/bench_update.py

Needs torch, diffusers and peft. Same sizes, float32, random weights.
"""

import time

import torch
from diffusers import AutoencoderKL, FluxTransformer2DModel
from peft import LoraConfig

SIDE, TEXT, RANK, WARM, RUNS = 256, 64, 16, 3, 10
TARGETS = [
    "attn.to_q", "attn.to_k", "attn.to_v", "attn.to_out.0",
    "attn.add_q_proj", "attn.add_k_proj", "attn.add_v_proj", "attn.to_add_out",
    "ff.net.0.proj", "ff.net.2", "ff_context.net.0.proj", "ff_context.net.2",
]


def main():
    torch.manual_seed(0)
    transformer = FluxTransformer2DModel(
        in_channels=64, num_layers=4, num_single_layers=8, num_attention_heads=8, attention_head_dim=64,
        joint_attention_dim=256, pooled_projection_dim=128, guidance_embeds=False, axes_dims_rope=(8, 28, 28),
    ).requires_grad_(False)
    vae = AutoencoderKL(
        block_out_channels=(32, 64, 64, 64), layers_per_block=1, norm_num_groups=8, latent_channels=16,
        down_block_types=("DownEncoderBlock2D",) * 4, up_block_types=("UpDecoderBlock2D",) * 4,
        use_quant_conv=False, use_post_quant_conv=False, scaling_factor=0.3611,
    ).requires_grad_(False)
    transformer.add_adapter(LoraConfig(r=RANK, lora_alpha=8, target_modules=TARGETS, init_lora_weights="gaussian"))
    params = [p for p in transformer.parameters() if p.requires_grad]
    optimizer = torch.optim.AdamW(params, lr=5e-5, weight_decay=0)

    rows = SIDE // 16
    latents, target = torch.randn(1, rows * rows, 64), torch.randn(1, 3, SIDE, SIDE)
    text, pooled = torch.randn(1, TEXT, 256), torch.randn(1, 128)
    ids = torch.zeros(rows, rows, 3)
    ids[..., 1], ids[..., 2] = torch.arange(rows)[:, None], torch.arange(rows)[None]
    ids, text_ids, t = ids.reshape(-1, 3), torch.zeros(TEXT, 3), torch.ones(1)

    def loss_of(latents):
        v = transformer(
            latents, encoder_hidden_states=text, pooled_projections=pooled, timestep=t,
            img_ids=ids, txt_ids=text_ids, return_dict=False,
        )[0]
        clean = latents - v
        clean = clean.view(1, rows, rows, 16, 2, 2).permute(0, 3, 1, 4, 2, 5).reshape(1, 16, 2 * rows, 2 * rows)
        picture = vae.decode(clean / 0.3611, return_dict=False)[0] / 2 + 0.5
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
