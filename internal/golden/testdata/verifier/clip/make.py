"""Makes this fixture: a tiny random CLIP in the layout of openai/clip-vit-*, and what transformers' CLIPModel and
torchmetrics' CLIPScore make of it.

    python make.py    # torch 2.9.1, transformers 5.23.0, torchmetrics 1.9.0, pillow 13.0.0; no network

model/ has the tokenizer of generator/sd14 beforehand, of transformers' CLIPTokenizer.
"""

import json
import pathlib

import numpy as np
import torch
import torchmetrics
import transformers
from PIL import Image
from safetensors.torch import save_file
from transformers import CLIPConfig, CLIPImageProcessor, CLIPModel, CLIPTokenizer

here = pathlib.Path(__file__).parent
torch.manual_seed(1515)
side, projection = 32, 20
text = dict(hidden_size=24, intermediate_size=48, num_hidden_layers=2, num_attention_heads=3, vocab_size=814,
            projection_dim=projection, bos_token_id=0, eos_token_id=2, hidden_act="quick_gelu")
vision = dict(hidden_size=32, intermediate_size=64, num_hidden_layers=2, num_attention_heads=4, image_size=side,
              patch_size=8, projection_dim=projection, hidden_act="quick_gelu")
model = CLIPModel(CLIPConfig(text_config=dict(text), vision_config=dict(vision), projection_dim=projection)).eval()
with torch.no_grad():
    for name, p in model.named_parameters():
        if p.dim() == 0:
            continue
        scale = 0.4 if "embedding" in name else 1.2 / p.shape[-1] ** 0.5 if p.dim() > 1 else 0.3
        p.copy_(torch.randn_like(p) * scale + (1 if "norm" in name and name.endswith("weight") else 0))
model.save_pretrained(here / "model")
processor = CLIPImageProcessor(size={"shortest_edge": side}, crop_size={"height": side, "width": side})
processor.save_pretrained(here / "model")
tokenizer = CLIPTokenizer.from_pretrained(here / "model")

# As the files of OpenAI's checkpoints have it: what counts is the part called text_config_dict, and eos_token_id is wrong.
file = here / "model" / "config.json"
config = json.loads(file.read_text())
config["text_config"]["eos_token_id"] = 2
config["text_config_dict"], config["vision_config_dict"] = text, vision
file.write_text(json.dumps(config, indent=1, sort_keys=True) + "\n")
model = CLIPModel.from_pretrained(here / "model").eval()


def picture(height, width, seed):
    """Waves with some noise, [height, width, 3] of 0 to 255."""
    y, x = np.mgrid[0:height, 0:width]
    random = np.random.default_rng(seed)
    waves = [np.sin(x / random.uniform(3, 12) + y / random.uniform(3, 12) + random.uniform(0, 6)) for _ in range(3)]
    noise = random.normal(0, 12, (height, width, 3))
    return np.clip(127 + 100 * np.stack(waves, -1) + noise, 0, 255).astype(np.uint8)


captions = ["a photo of a lighthouse above the ocean", "", "a small robot, it's sitting on the 2 chairs!", "horse " * 100]
pictures = {"own": picture(side, side, 1), "wide": picture(45, 61, 2), "small": picture(21, 20, 3)}
tensors, about = {}, {
    "name": "clip", "model": "model", "projection": projection, "captions": captions, "pictures": list(pictures),
    "versions": {"torch": torch.__version__, "transformers": transformers.__version__, "torchmetrics": torchmetrics.__version__},
}
with torch.no_grad():
    for k, caption in enumerate(captions):
        ids = tokenizer(caption, padding="max_length", truncation=True, return_tensors="pt").input_ids
        tensors[f"text.{k}.ids"] = ids[0].int()
        tensors[f"text.{k}.embeds"] = model.get_text_features(input_ids=ids).pooler_output[0]
    for name, img in pictures.items():
        tensors[f"image.{name}.picture"] = torch.from_numpy(img).float()
        resized = processor(images=Image.fromarray(img), return_tensors="pt", do_rescale=False, do_normalize=False).pixel_values
        tensors[f"image.{name}.resized"] = resized[0].permute(1, 2, 0).float()
        own = processor(images=Image.fromarray(img), return_tensors="pt").pixel_values
        tensors[f"image.{name}.embeds"] = model.get_image_features(pixel_values=own).pooler_output[0]
    text = torch.stack([tensors[f"text.{k}.embeds"] for k in range(len(captions))])
    image = torch.stack([tensors[f"image.{name}.embeds"] for name in pictures])
    cosine = torch.nn.functional.normalize(image, dim=-1) @ torch.nn.functional.normalize(text, dim=-1).T
    tensors["cosine"] = cosine
    from torchmetrics.functional.multimodal.clip_score import _clip_score_update
    scores = torch.zeros_like(cosine)
    for i in range(len(pictures)):
        for j in range(len(captions)):
            # torchmetrics' own computation, given the numbers that the processors above make of picture and text.
            fake = lambda text=None, images=None, **_: transformers.BatchEncoding(
                {"input_ids": tensors[f"text.{j}.ids"][None].long(), "attention_mask": torch.ones(1, 77)} if text else
                {"pixel_values": processor(images=Image.fromarray(list(pictures.values())[i]), return_tensors="pt").pixel_values})
            class Features:  # torchmetrics 1.9 expects tensors, as transformers 4 returned them
                config = model.config
                device = model.device
                get_image_features = staticmethod(lambda p: model.get_image_features(pixel_values=p).pooler_output)
                get_text_features = staticmethod(lambda ids, mask: model.get_text_features(input_ids=ids).pooler_output)
                def to(self, _): return self
            score, n = _clip_score_update([torch.zeros(3, side, side, dtype=torch.uint8)], ["?"], Features(), fake)
            scores[i, j] = torch.clamp(score.mean(), min=0)
    tensors["score"] = scores
save_file({k: v.contiguous() for k, v in tensors.items()}, here / "golden.safetensors")
(here / "golden.json").write_text(json.dumps(about, indent=1) + "\n")
print(cosine, scores)
