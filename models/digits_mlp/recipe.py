"""Trains and exports the fully connected digit network."""

import collections
import pathlib
import sys

import torch
from torch import nn

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))
import digits  # pylint: disable=wrong-import-position

SEED = 20
DESCRIPTION = """\
A fully connected network that reads handwritten digits, with BatchNorm1d before and after an
activation: Flatten → Linear 784→128 → **BN** → ReLU → Linear 128→64 → ReLU → **BN** →
Linear 64→64 → **BN** → ReLU → Linear 64→10."""


def make_network():
    return nn.Sequential(collections.OrderedDict(
        flatten=nn.Flatten(),
        linear1=nn.Linear(784, 128), norm1=nn.BatchNorm1d(128), relu1=nn.ReLU(),
        linear2=nn.Linear(128, 64), relu2=nn.ReLU(), norm2=nn.BatchNorm1d(64),
        linear3=nn.Linear(64, 64, bias=False), norm3=nn.BatchNorm1d(64), relu3=nn.ReLU(),
        linear4=nn.Linear(64, 10)))


if __name__ == "__main__":
    torch.manual_seed(SEED)
    digits.run_recipe(make_network(), pathlib.Path(__file__).resolve().parent,
                      "Handwritten digits, fully connected", DESCRIPTION, epochs=40, batch_size=64,
                      peak_rate=0.005, seed=SEED)
