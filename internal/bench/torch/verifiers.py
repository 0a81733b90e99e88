"""What the verifiers' programs share: the loss of questions about a picture, and its gradient by the pixels.

The ids of the questions' tokens and the picture are those of our side, which wrote them. The pictures go through the
official processor, which is differentiable on pictures of floats.
"""

import torch
from frozen import sparing, stored
from orders import DTYPES, handed
from transformers import AutoImageProcessor, AutoModelForImageTextToText


class Verifier:
    """A subclass says what its model wants besides."""

    kinds = None  # the input that says which tokens are the picture's
    processing = {}  # options of the image processor

    def __init__(self, order):
        self.dtype, folder = DTYPES[order["dtype"]], order["checkpoint"]
        self.about, self.given = handed(order)
        self.model = AutoModelForImageTextToText.from_pretrained(folder, dtype=stored(folder)).eval().requires_grad_(False)
        self.model = sparing(self.model) if self.dtype == torch.float32 else self.model.to(self.dtype)
        self.processor = AutoImageProcessor.from_pretrained(folder, backend="torchvision")
        self.questions = [self.question(self.given[f"ids{k}"], labels) for k, labels in enumerate(self.about["labels"])]
        self.logits_of = self.model

    def question(self, ids, labels):
        """The model's inputs for a question, and the ids of its answer."""
        ids = ids[None].long()
        inputs = {"input_ids": ids, "attention_mask": torch.ones_like(ids), "logits_to_keep": labels + 1}
        if self.kinds:
            inputs[self.kinds] = (ids == self.about["image_token"]).int()
        return inputs, ids[0, -labels:]

    def compile(self):
        self.logits_of = torch.compile(self.model)

    def loss(self, picture, question):
        seen = self.processor(images=[picture.clamp(0, 1)], do_rescale=False, return_tensors="pt", **self.processing)
        seen = {name: x for name, x in seen.items() if name not in ("num_crops", "rows", "cols")}
        seen["pixel_values"] = seen["pixel_values"].to(self.dtype)
        inputs, labels = question
        logits = self.logits_of(**inputs, **seen).logits
        return torch.nn.functional.cross_entropy(logits[0, :-1].float(), labels)

    def gradient(self, picture):
        """The mean loss of all questions about a picture [3, height, width], and its gradient. One question after the other, so
        that the activations of one are there at a time."""
        picture, total = picture.clone().requires_grad_(True), 0
        for question in self.questions:
            loss = self.loss(picture, question) / len(self.questions)
            loss.backward()
            total += loss.item()
        return total, picture.grad

    def run(self):
        loss, gradient = self.gradient(self.given["picture"][0].permute(2, 0, 1))
        return loss, gradient.norm().item()
