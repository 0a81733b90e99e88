"""What gpucheck measures, in PyTorch: seconds per update and the peak of memory, as JSON.

    python update.py FLUX.1-schnell Qwen2.5-VL-7B SIDE UPDATES

Needs torch, diffusers, transformers and peft. Same sizes, bfloat16 and random weights; the text encoders, which run
once, are left out. Attention is PyTorch's own, blocks and layers are recomputed in the backward pass.
"""

import json
import sys
import time

import torch
torch.backends.cuda.enable_cudnn_sdp(False)  # torch 2.11 ended with an illegal memory access in it
from diffusers import AutoencoderKL, FluxTransformer2DModel
from peft import LoraConfig
from transformers import Qwen2_5_VLConfig, Qwen2_5_VLForConditionalGeneration

TARGETS = [
    "attn.to_q", "attn.to_k", "attn.to_v", "attn.to_out.0",
    "attn.add_q_proj", "attn.add_k_proj", "attn.add_v_proj", "attn.to_add_out",
    "ff.net.0.proj", "ff.net.2", "ff_context.net.0.proj", "ff_context.net.2",
]
BLOCKS = {"FLUX.1-schnell": (19, 38), "FLUX.1-schnell-shallow": (2, 4)}
LAYERS = {"Qwen2.5-VL-7B": (28, 32), "Qwen2.5-VL-7B-shallow": (4, 8)}
WORDS, IMAGE, START, END = 30, 151655, 151652, 151653


def flux(device, blocks):
    transformer = FluxTransformer2DModel(
        in_channels=64, num_layers=blocks[0], num_single_layers=blocks[1], num_attention_heads=24, attention_head_dim=128,
        joint_attention_dim=4096, pooled_projection_dim=768, guidance_embeds=False, axes_dims_rope=(16, 56, 56),
    )
    vae = AutoencoderKL(
        block_out_channels=(128, 256, 512, 512), layers_per_block=2, norm_num_groups=32, latent_channels=16,
        down_block_types=("DownEncoderBlock2D",) * 4, up_block_types=("UpDecoderBlock2D",) * 4,
        use_quant_conv=False, use_post_quant_conv=False, scaling_factor=0.3611, shift_factor=0.1159,
    )
    return transformer.to(device).requires_grad_(False), vae.to(device).requires_grad_(False)


def qwen(device, layers):
    depth = layers[1]
    config = Qwen2_5_VLConfig(
        text_config=dict(
            hidden_size=3584, intermediate_size=18944, num_attention_heads=28, num_key_value_heads=4, num_hidden_layers=layers[0],
            max_window_layers=layers[0], vocab_size=152064, rope_parameters={"rope_type": "default", "mrope_section": [16, 24, 24], "rope_theta": 1e6},
        ),
        vision_config=dict(
            hidden_size=1280, intermediate_size=3420, num_heads=16, depth=depth, out_hidden_size=3584, window_size=112,
            fullatt_block_indexes=[depth // 4 - 1, depth // 2 - 1, depth * 3 // 4 - 1, depth - 1],
        ),
        image_token_id=IMAGE, vision_start_token_id=START, vision_end_token_id=END, tie_word_embeddings=False,
    )
    return Qwen2_5_VLForConditionalGeneration(config).to(device).requires_grad_(False)


def patches(image, side):
    """A picture [1, 3, H, W] in [0, 1] as the processor of Qwen2.5-VL has it, with a gradient."""
    image = torch.nn.functional.interpolate(image, size=(side, side), mode="bicubic", antialias=True)
    mean = torch.tensor([0.48145466, 0.4578275, 0.40821073], device=image.device).view(1, 3, 1, 1)
    std = torch.tensor([0.26862954, 0.26130258, 0.27577711], device=image.device).view(1, 3, 1, 1)
    x = ((image - mean) / std).repeat(2, 1, 1, 1)
    n = side // 28
    x = x.view(1, 2, 3, n, 2, 14, n, 2, 14).permute(0, 3, 6, 4, 7, 2, 1, 5, 8)
    return x.reshape(4 * n * n, 3 * 2 * 14 * 14)


def main(generator, verifier, side, updates):
    torch.manual_seed(0)
    device = "cuda" if torch.cuda.is_available() else "cpu"
    torch.set_default_dtype(torch.bfloat16)
    with torch.device(device):
        transformer, vae = flux(device, BLOCKS[generator])
        vlm = qwen(device, LAYERS[verifier])
    transformer.add_adapter(LoraConfig(r=16, lora_alpha=8, target_modules=TARGETS, init_lora_weights="gaussian"))
    params = [p for p in transformer.parameters() if p.requires_grad]
    for p in params:
        p.data = p.data.float()
    transformer.enable_gradient_checkpointing()
    vae.enable_gradient_checkpointing()
    vlm.gradient_checkpointing_enable()
    vlm.train()
    optimizer = torch.optim.AdamW(params, lr=5e-5, weight_decay=0)

    rows = side // 16
    latents = torch.randn(1, rows * rows, 64, device=device)
    text, pooled = torch.randn(1, 512, 4096, device=device), torch.randn(1, 768, device=device)
    ids = torch.zeros(rows, rows, 3, device=device)
    ids[..., 1], ids[..., 2] = torch.arange(rows)[:, None], torch.arange(rows)[None]
    ids, text_ids, t = ids.reshape(-1, 3), torch.zeros(512, 3, device=device), torch.ones(1, device=device)
    seen = round(side / 28) * 28
    count = (seen // 28) ** 2
    words = torch.randint(0, 150000, (WORDS,)).tolist()
    asked = torch.tensor([words[:15] + [START] + [IMAGE] * count + [END] + words[15:]], device=device)
    grid = torch.tensor([[1, seen // 14, seen // 14]], device=device)
    kinds = (asked == IMAGE).int()

    def loss_of():
        with torch.autocast(device, torch.bfloat16):
            v = transformer(
                latents, encoder_hidden_states=text, pooled_projections=pooled, timestep=t, img_ids=ids, txt_ids=text_ids,
                return_dict=False,
            )[0]
            clean = (latents - v).view(1, rows, rows, 16, 2, 2).permute(0, 3, 1, 4, 2, 5).reshape(1, 16, 2 * rows, 2 * rows)
            picture = (vae.decode(clean / 0.3611 + 0.1159, return_dict=False)[0].float() / 2 + 0.5).clamp(0, 1)
            logits = vlm(
                input_ids=asked, attention_mask=torch.ones_like(asked), pixel_values=patches(picture, seen).bfloat16(),
                image_grid_thw=grid, mm_token_type_ids=kinds, use_cache=False, logits_to_keep=1,
            ).logits
        return torch.nn.functional.cross_entropy(logits[0].float(), torch.tensor([7], device=device))

    def update():
        optimizer.zero_grad()
        loss = loss_of()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(params, 1.0)
        optimizer.step()
        return loss.item()  # waits for the device

    for _ in range(3):
        update()
    times, losses = [], []
    for _ in range(updates):
        began = time.perf_counter()
        losses.append(update())
        times.append(time.perf_counter() - began)
    peak = torch.cuda.max_memory_allocated() if device == "cuda" else 0
    median = sorted(times)[len(times) // 2]
    print(json.dumps({
        "torch": torch.__version__, "update_s": median, "hundred_updates_s": 100 * median, "updates_s": times,
        "peak_bytes": peak, "loss": losses, "adapted": len(params) // 2,
    }))


if __name__ == "__main__":
    main(sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4]))
