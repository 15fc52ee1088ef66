"""Exports well-known architectures to ONNX, batch normalization kept, each with torch's answers.

The weights are seeded, not trained: He-like, with gamma and beta moved off one and zero, and
running statistics settled by a few training-mode batches so that activations keep a sane size.
Each network becomes OUT/NAME in ONNX's test layout, with a dynamic batch axis.
"""

import argparse
import dataclasses
import math
import os
import pathlib
import shutil
import sys
import time
import zlib

import torch
import torchvision
from torch import nn
from torch.nn import functional
from torch.nn.modules.batchnorm import _BatchNorm

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent.parent))
# pylint: disable=wrong-import-position
import networks
from onnx_folder import write_onnx_folder

SETTLING_BATCHES = 3
SUFFIX = "_anysize"


@dataclasses.dataclass(frozen=True)
class Entry:
    """How to make a network, its input without the batch axis, and whether any size will do."""

    make: object
    shape: tuple = (3, 224, 224)
    any_size: bool = True
    outputs: tuple = ("output",)
    settling_batch: int = 4


def from_torchvision(name, **options):
    return lambda: getattr(torchvision.models, name)(weights=None, **options)


ZOO = {name: Entry(from_torchvision(name)) for name in (
    "resnet18", "resnet50", "mobilenet_v2", "mobilenet_v3_large", "efficientnet_b0",
    "densenet121", "shufflenet_v2_x1_0", "squeezenet1_1", "mnasnet1_0", "regnet_y_400mf",
    "convnext_tiny")}
ZOO |= {
    "vgg16_bn": Entry(from_torchvision("vgg16_bn"), any_size=False, settling_batch=2),
    "inception_v3": Entry(from_torchvision("inception_v3", aux_logits=False, init_weights=False,
                                           transform_input=False), (3, 299, 299)),
    "googlenet": Entry(from_torchvision("googlenet", aux_logits=False, init_weights=False,
                                        transform_input=False)),
    "unet": Entry(networks.UNet, (3, 256, 256), settling_batch=2),
    "yolov3_tiny": Entry(networks.YoloV3Tiny, (3, 416, 416), outputs=("coarse", "fine")),
    "mlp_bn": Entry(networks.mlp_bn, (256,), any_size=False, settling_batch=256),
    "cnn1d": Entry(networks.cnn1d, (2, 1024), settling_batch=32),
}


def make_input(shape, count, generator):
    """Coarse structure plus fine noise, like a normalised picture or signal."""
    noise = torch.randn(count, *shape, generator=generator)
    if len(shape) == 1:
        return noise
    coarse = torch.randn(count, shape[0], *[math.ceil(s / 16) for s in shape[1:]],
                         generator=generator)
    mode = "linear" if len(shape) == 2 else "bilinear"
    return functional.interpolate(coarse, shape[1:], mode=mode, align_corners=False) + 0.3 * noise


def seed_weights(network, generator):
    for module in network.modules():
        weight, bias = getattr(module, "weight", None), getattr(module, "bias", None)
        if isinstance(module, (_BatchNorm, nn.LayerNorm)):
            nn.init.ones_(weight).add_(torch.rand(weight.shape, generator=generator) - 0.5)
            bias.copy_(0.1 * torch.randn(bias.shape, generator=generator))
        elif weight is not None and weight.dim() > 1:
            if isinstance(module, nn.modules.conv._ConvTransposeNd):
                fan_in = weight[:, 0].numel() / math.prod(module.stride)
            else:
                fan_in = weight[0].numel()
            weight.copy_(math.sqrt(2 / fan_in) * torch.randn(weight.shape, generator=generator))
            if bias is not None:
                bias.copy_(0.1 * torch.randn(bias.shape, generator=generator))
        scale = getattr(module, "layer_scale", None)
        if scale is not None:
            scale.copy_(0.2 + 0.1 * torch.randn(scale.shape, generator=generator))


def settle_statistics(network, entry, generator):
    """Averages the statistics of a few batches, then moves them a little off what was measured."""
    norms = [module for module in network.modules() if isinstance(module, _BatchNorm)]
    momenta = [norm.momentum for norm in norms]
    for norm in norms:
        norm.reset_running_stats()
        norm.momentum = None
        norm.train()
    for _ in range(SETTLING_BATCHES if norms else 0):
        network(make_input(entry.shape, entry.settling_batch, generator))
    for norm, momentum in zip(norms, momenta):
        norm.momentum = momentum
        mean, variance = norm.running_mean, norm.running_var
        mean.add_(0.05 * variance.sqrt() * torch.randn(mean.shape, generator=generator))
        variance.mul_(torch.exp(0.1 * torch.randn(variance.shape, generator=generator)))
    network.eval()


def rounding_error(network, example):
    """The largest distance of torch's float32 answers from its double ones, over max|y|."""
    def outputs(x):
        result = network(x)
        return [result] if isinstance(result, torch.Tensor) else list(result)
    single = outputs(example)
    network.double()
    double = outputs(example.double())
    network.float()
    return max(((a - b).abs().max() / b.abs().max()).item() for a, b in zip(single, double))


@torch.no_grad()
def export(name, entry, out, any_size):
    """Writes `out`/NAME, complete or not at all; returns (BN nodes, rounding error)."""
    generator = torch.Generator().manual_seed(zlib.crc32(name.encode()))
    network = entry.make().eval()
    seed_weights(network, generator)
    settle_statistics(network, entry, generator)
    example = make_input(entry.shape, 1, generator)
    error = rounding_error(network, example)

    axes = {0: "batch"}
    if any_size:
        labels = ("height", "width") if len(entry.shape) == 3 else ("length",)
        axes |= dict(enumerate(labels, 2))
    folder = out / (name + SUFFIX if any_size else name)
    partial = out / (folder.name + ".partial")
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    batch_norms = write_onnx_folder(network, partial, example, "input", list(entry.outputs), axes)
    shutil.rmtree(folder, ignore_errors=True)
    partial.rename(folder)
    return batch_norms, error


def main():
    default_out = os.environ.get("PLEAT_ZOO") or pathlib.Path.home() / ".cache/pleat/zoo"
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("names", nargs="*", metavar="NAME",
                        help="networks to export (default: all)")
    parser.add_argument("--out", type=pathlib.Path, default=pathlib.Path(default_out),
                        help="where to write (default: $PLEAT_ZOO or %(default)s)")
    parser.add_argument("--list", action="store_true", help="print the names and leave")
    parser.add_argument("--force", action="store_true", help="export again what is already there")
    parser.add_argument("--any-size", action="store_true",
                        help=f"leave height and width (or length) dynamic too, as NAME{SUFFIX}")
    parser.add_argument("--threads", type=int, default=1, help="torch threads (default: 1)")
    arguments = parser.parse_args()
    unknown = [name for name in arguments.names if name not in ZOO]
    if unknown:
        parser.error(f"unknown network: {', '.join(unknown)} (see --list)")
    if arguments.list:
        for name, entry in ZOO.items():
            print(name, "x".join(map(str, entry.shape)), "any size" if entry.any_size else "fixed")
        return

    torch.set_num_threads(arguments.threads)
    names = arguments.names or list(ZOO)
    if arguments.any_size:
        fixed = [name for name in names if not ZOO[name].any_size]
        if arguments.names and fixed:
            parser.error(f"only one size will do: {', '.join(fixed)}")
        names = [name for name in names if ZOO[name].any_size]
    for index, name in enumerate(names, 1):
        label = f"[{index}/{len(names)}] {name + SUFFIX if arguments.any_size else name}"
        folder = arguments.out / label.split()[-1]
        if folder.exists() and not arguments.force:
            print(f"{label}: already there", flush=True)
            continue
        if sys.stdout.isatty():
            print(f"{label}: exporting", end="\r", flush=True)
        start = time.monotonic()
        batch_norms, error = export(name, ZOO[name], arguments.out, arguments.any_size)
        size = (folder / "model.onnx").stat().st_size / 1e6
        print(f"{label}: {batch_norms} batch norms, {size:.1f} MB, float32 rounding {error:.1e}, "
              f"{time.monotonic() - start:.0f} s", flush=True)


if __name__ == "__main__":
    main()
