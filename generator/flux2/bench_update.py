"""What BenchmarkUpdate measures, in PyTorch: milliseconds per update, eager and compiled.

    python generator/flux2/bench_update.py

Needs torch, diffusers and peft. Same sizes, float32, random weights.
"""

import time

import torch
from diffusers import AutoencoderKLFlux2, Flux2Transformer2DModel
from peft import LoraConfig

SIDE, TEXT, RANK, WARM, RUNS, SINGLE = 256, 64, 16, 3, 10, 8
TARGETS = ["attn.to_q", "attn.to_k", "attn.to_v", "attn.to_out.0", "attn.to_qkv_mlp_proj"]
TARGETS += [f"single_transformer_blocks.{i}.attn.to_out" for i in range(SINGLE)]


def main():
    torch.manual_seed(0)
    transformer = Flux2Transformer2DModel(
        in_channels=64, num_layers=4, num_single_layers=SINGLE, num_attention_heads=8, attention_head_dim=64,
        joint_attention_dim=384, guidance_embeds=False, axes_dims_rope=(16, 16, 16, 16),
    ).requires_grad_(False)
    vae = AutoencoderKLFlux2(
        block_out_channels=(32, 64, 64, 64), layers_per_block=1, norm_num_groups=8, latent_channels=16, use_quant_conv=False,
    ).requires_grad_(False)
    transformer.add_adapter(LoraConfig(r=RANK, lora_alpha=8, target_modules=TARGETS, init_lora_weights="gaussian"))
    params = [p for p in transformer.parameters() if p.requires_grad]
    optimizer = torch.optim.AdamW(params, lr=1e-4, weight_decay=0)

    rows = SIDE // 16
    latents, target, text = torch.randn(1, rows * rows, 64), torch.randn(1, 3, SIDE, SIDE), torch.randn(1, TEXT, 384)
    ids = torch.cartesian_prod(torch.arange(1), torch.arange(rows), torch.arange(rows), torch.arange(1))
    text_ids = torch.cartesian_prod(torch.arange(1), torch.arange(1), torch.arange(1), torch.arange(TEXT))
    t = torch.ones(1)
    mean, deviation = vae.bn.running_mean, torch.sqrt(vae.bn.running_var + vae.config.batch_norm_eps)

    def loss_of(latents):
        v = transformer(latents, encoder_hidden_states=text, timestep=t, img_ids=ids, txt_ids=text_ids, return_dict=False)[0]
        clean = (latents - v) * deviation + mean
        clean = clean.view(1, rows, rows, 16, 2, 2).permute(0, 3, 1, 4, 2, 5).reshape(1, 16, 2 * rows, 2 * rows)
        picture = vae.decode(clean, return_dict=False)[0] / 2 + 0.5
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
