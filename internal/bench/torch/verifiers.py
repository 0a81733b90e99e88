"""What the verifiers' programs share: the loss of a question about a picture, and its gradient by the pixels.

The ids of the question's tokens and the picture are those of our side, which wrote them. The pictures go through the
official processor, which is differentiable on pictures of floats.
"""

import torch
from orders import DTYPES, handed
from transformers import AutoImageProcessor, AutoModelForImageTextToText


class Verifier:
    """A subclass says what its model wants besides."""

    kinds = None  # the input that says which tokens are the picture's
    processing = {}  # options of the image processor

    def __init__(self, order):
        self.dtype = DTYPES[order["dtype"]]
        about, inputs = handed(order)
        ids, self.picture = inputs["ids"][None].long(), inputs["picture"][0].permute(2, 0, 1).contiguous()
        self.model = AutoModelForImageTextToText.from_pretrained(order["checkpoint"], dtype=self.dtype).eval().requires_grad_(False)
        self.processor = AutoImageProcessor.from_pretrained(order["checkpoint"], backend="torchvision")
        self.labels = ids[0, -about["labels"] :]
        self.inputs = {"input_ids": ids, "attention_mask": torch.ones_like(ids), "logits_to_keep": about["labels"] + 1}
        if self.kinds:
            self.inputs[self.kinds] = (ids == about["image_token"]).int()
        self.logits_of = self.model

    def compile(self):
        self.logits_of = torch.compile(self.model)

    def loss(self, picture):
        seen = self.processor(images=[picture.clamp(0, 1)], do_rescale=False, return_tensors="pt", **self.processing)
        seen = {name: x for name, x in seen.items() if name not in ("num_crops", "rows", "cols")}
        seen["pixel_values"] = seen["pixel_values"].to(self.dtype)
        logits = self.logits_of(**self.inputs, **seen).logits
        return torch.nn.functional.cross_entropy(logits[0, :-1].float(), self.labels)

    def run(self):
        picture = self.picture.clone().requires_grad_(True)
        loss = self.loss(picture)
        loss.backward()
        return loss.item(), picture.grad.norm().item()
