"""Trains and exports the small convolutional digit network."""

import collections
import pathlib
import sys

import torch
from torch import nn

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))
import digits  # pylint: disable=wrong-import-position

SEED = 20
DESCRIPTION = """\
A small convolutional network that reads handwritten digits. It has batch normalization in the
places that matter to a folding converter:

| block | where its batch norms stand |
|---|---|
| stem | Conv 3x3 → **BN** → ReLU → MaxPool |
| widen | Conv 3x3 → ReLU → **BN** → Conv 1x1 → ReLU → **BN** → padded Conv 3x3 and a skip |
| residual | Conv 3x3 → **BN** → ReLU → Conv 3x3 → **BN** → + skip → ReLU |
| separable | depthwise Conv 3x3, stride 2 → **BN** → ReLU6 → Conv 1x1 → **BN** → ReLU |
| head | Conv 3x3 → ReLU → **BN** → padded Conv 3x3 → **BN** → ReLU → average pool → Linear |"""


class Residual(nn.Module):
    def __init__(self, channels):
        super().__init__()
        self.body = nn.Sequential(
            nn.Conv2d(channels, channels, 3, padding=1, bias=False), nn.BatchNorm2d(channels),
            nn.ReLU(), nn.Conv2d(channels, channels, 3, padding=1, bias=False),
            nn.BatchNorm2d(channels))
        self.activation = nn.ReLU()

    def forward(self, x):
        return self.activation(self.body(x) + x)


def make_network():
    stem = nn.Sequential(nn.Conv2d(1, 16, 3, padding=1, bias=False), nn.BatchNorm2d(16), nn.ReLU(),
                         nn.MaxPool2d(2))
    widen = nn.Sequential(nn.Conv2d(16, 32, 3, padding=1), nn.ReLU(), nn.BatchNorm2d(32),
                          nn.Conv2d(32, 32, 1), nn.ReLU(), nn.BatchNorm2d(32))
    separable = nn.Sequential(
        nn.Conv2d(32, 32, 3, stride=2, padding=1, groups=32, bias=False), nn.BatchNorm2d(32),
        nn.ReLU6(), nn.Conv2d(32, 64, 1, bias=False), nn.BatchNorm2d(64), nn.ReLU())
    head = nn.Sequential(
        nn.Conv2d(64, 64, 3, padding=1), nn.ReLU(), nn.BatchNorm2d(64),
        nn.Conv2d(64, 64, 3, padding=1, bias=False), nn.BatchNorm2d(64), nn.ReLU(),
        nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(64, 10))
    return nn.Sequential(collections.OrderedDict(
        stem=stem, widen=widen, residual=Residual(32), separable=separable, head=head))


if __name__ == "__main__":
    torch.manual_seed(SEED)
    digits.run_recipe(make_network(), pathlib.Path(__file__).resolve().parent,
                      "Handwritten digits, convolutional", DESCRIPTION, epochs=20, batch_size=64,
                      peak_rate=0.005, seed=SEED)
