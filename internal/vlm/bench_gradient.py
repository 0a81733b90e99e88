"""What BenchmarkGradient measures, in PyTorch: the loss and its gradient by the pixels, eager and compiled.

    DUALPROCESS_BENCH=/tmp/bench go test ./internal/vlm -run '^$' -bench Gradient/second
    python internal/vlm/bench_gradient.py /tmp/bench/second [--eager] [model ...]

Needs torch, torchvision and transformers 5. Same checkpoints, picture and question; the losses must agree.
"""

import argparse
import json
import time
from pathlib import Path

import torch
from transformers import AutoImageProcessor, AutoModelForImageTextToText

WARM, RUNS = 2, 7


def picture(height, width):
    places = torch.arange(height * width * 3, dtype=torch.int64)
    values = (places * 7919 % 1009).float() / 1009
    return values.view(height, width, 3).permute(2, 0, 1).contiguous()


def measure(folder, device, compiles):
    about = json.loads((folder / "bench.json").read_text())
    dtype = {"F32": torch.float32, "BF16": torch.bfloat16}[about["dtype"]]
    model = AutoModelForImageTextToText.from_pretrained(folder, dtype=dtype).eval().requires_grad_(False).to(device)
    processor = AutoImageProcessor.from_pretrained(folder, backend="torchvision")
    ids = torch.tensor([about["input_ids"]], device=device)
    places = {"do_image_splitting": False} if model.config.model_type == "idefics2" else {}
    is_image = (ids == about["image_token"]).int()
    qwen = dict.fromkeys(("qwen2_5_vl", "qwen3_vl", "qwen3_5"), "mm_token_type_ids")
    types = {"gemma3": "token_type_ids", **qwen}.get(model.config.model_type)
    labels = ids[0, -about["labels"] :]

    def loss_of(model, image):
        # The official processor, on a picture of floats: it is differentiable.
        inputs = processor(images=[image.clamp(0, 1)], do_rescale=False, return_tensors="pt", **places)
        inputs = {k: v.to(device) for k, v in inputs.items() if k not in ("num_crops", "rows", "cols")}
        inputs["pixel_values"] = inputs["pixel_values"].to(dtype)
        if types:
            inputs[types] = is_image
        logits = model(input_ids=ids, attention_mask=torch.ones_like(ids), logits_to_keep=about["labels"] + 1, **inputs).logits
        return torch.nn.functional.cross_entropy(logits[0, :-1].float(), labels)

    def run(model):
        image = picture(about["height"], about["width"]).to(device).requires_grad_(True)
        loss = loss_of(model, image)
        loss.backward()
        assert image.grad.abs().max() > 0
        return loss.item()

    for name, function in (("eager", model), ("compiled", torch.compile(model)))[: 2 if compiles else 1]:
        began = time.perf_counter()
        for _ in range(WARM):
            loss = run(function)
        warm, times = time.perf_counter() - began, []
        for _ in range(RUNS):
            began = time.perf_counter()
            run(function)
            times.append(time.perf_counter() - began)
        times.sort()
        memory = f", peak {torch.cuda.max_memory_allocated() >> 20} MB" if device == "cuda" else f", {torch.get_num_threads()} threads"
        print(f"{folder.name} {name}: median {1000 * times[len(times) // 2]:.0f} ms, first two {warm:.1f} s, loss {loss:.5f}{memory}", flush=True)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=Path)
    parser.add_argument("models", nargs="*")
    parser.add_argument("--eager", action="store_true", help="do not compile")
    args = parser.parse_args()
    device = "cuda" if torch.cuda.is_available() else "cpu"
    for folder in sorted(args.folder.iterdir()):
        if not args.models or folder.name in args.models:
            measure(folder, device, not args.eager)


if __name__ == "__main__":
    main()
