"""Makes distances.json: what published implementations say of given features.

    PYTHONPATH=<folder with sayakpaul/cmmd-pytorch's distance.py> python make.py

numpy 2.4.6, scipy 1.17.1, torch 2.9.1, pytorch-fid 0.3.0, torchmetrics 1.9.0, mpmath 1.4.1, cmmd-pytorch at f7673a9.
The features are counted out by a generator that is a line in any language (features, below), so that the file has
distances alone. "exact" is FID by its definition in 60 digits; where a set has fewer vectors than numbers, the
published implementations take square roots of eigenvalues that are rounding errors, and are off from the 7th digit on.
"""

import json

import distance as cmmd
import mpmath
import numpy as np
import torch
from pytorch_fid.fid_score import calculate_frechet_distance
from torchmetrics.image.fid import _compute_fid


def features(count, width, seed, scale, shift, unit):
    """Sums of four uniform numbers, wider along the first axes; [count, width]."""
    state, out = seed, []
    for _ in range(count):
        row = []
        for j in range(width):
            total = 0.0
            for _ in range(4):
                state = (state * 6364136223846793005 + 1442695040888963407) % 2**64
                total += (state >> 11) / 2.0**53
            row.append((total - 2.0) * scale / (1.0 + j) + shift)
        out.append(row)
    x = np.array(out)
    return x / np.sqrt((x * x).sum(1, keepdims=True)) if unit else x


def exact(x, y):
    """|mean difference|^2 + tr(A) + tr(B) - 2 tr((AB)^1/2), the last as the singular values of XY^T, in 60 digits."""
    mpmath.mp.dps = 60
    x, y = mpmath.matrix(x.tolist()), mpmath.matrix(y.tolist())
    def centred(m):
        mean = [mpmath.fsum(m[i, j] for i in range(m.rows)) / m.rows for j in range(m.cols)]
        scale = mpmath.sqrt(m.rows - 1)
        return mean, mpmath.matrix(m.rows, m.cols) + mpmath.matrix([[(m[i, j] - mean[j]) / scale for j in range(m.cols)] for i in range(m.rows)])
    (mean_x, x), (mean_y, y) = centred(x), centred(y)
    total = mpmath.fsum((a - b) ** 2 for a, b in zip(mean_x, mean_y))
    total += mpmath.fsum(v * v for v in x) + mpmath.fsum(v * v for v in y)
    if min(x.rows, y.rows) > x.cols:
        values, vectors = mpmath.eigsy(x.T * x)
        x = mpmath.diag([mpmath.sqrt(max(v, 0)) for v in values]) * vectors.T  # another X with the same X^TX
    product = x * y.T
    product = product.T * product if product.rows > product.cols else product * product.T
    roots = mpmath.eigsy(product, eigvals_only=True)
    return float(total - 2 * mpmath.fsum(mpmath.sqrt(max(r, 0)) for r in roots))


cases = []
for name, (n, m), width, (scale, shift), unit in [
    ("tall", (50, 40), 8, (1.3, 0.2), False),
    ("alike", (60, 60), 6, (1.0, 0.0), False),
    ("unit", (48, 64), 12, (1.1, 0.05), True),
    ("far", (40, 30), 5, (30.0, 70.0), False),
    ("wide", (9, 12), 20, (0.7, 0.1), False),
    ("two", (2, 2), 3, (1.0, 0.4), False),
]:
    x, y = features(n, width, 1, 1.0, 0.0, unit), features(m, width, 2, scale, shift, unit)
    stats = [(a.mean(0), np.atleast_2d(np.cov(a, rowvar=False))) for a in (x, y)]
    tensors = [torch.from_numpy(v) for s in stats for v in s]
    cases.append({
        "name": name, "counts": [n, m], "width": width, "scale": scale, "shift": shift, "unit": unit,
        "cmmd": float(cmmd.mmd(x, y)),
        "pytorch_fid": float(calculate_frechet_distance(*stats[0], *stats[1])),
        "torchmetrics": float(_compute_fid(*tensors)),
        "exact": exact(x, y),
    })
    print(cases[-1])
with open("distances.json", "w") as f:
    json.dump(cases, f, indent=1)
    f.write("\n")
