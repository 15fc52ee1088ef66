"""The zoo's own architectures, for shapes of networks that torchvision does not carry."""

import collections

import torch
from torch import nn


def conv_norm(inputs, outputs, size, activation, stride=1):
    return nn.Sequential(collections.OrderedDict(
        conv=nn.Conv2d(inputs, outputs, size, stride, size // 2, bias=False),
        norm=nn.BatchNorm2d(outputs), activation=activation()))


class UNet(nn.Module):
    """U-Net (Ronneberger et al., 2015), padded, with BN after every Conv and ConvTranspose.

    [batch, 3, H, W] to [batch, 2, H, W]; H and W must be multiples of 16.
    """

    WIDTHS = (32, 64, 128, 256, 512)

    def __init__(self):
        super().__init__()
        self.down, self.rise, self.up = nn.ModuleList(), nn.ModuleList(), nn.ModuleList()
        for inputs, outputs in zip((3,) + self.WIDTHS, self.WIDTHS):
            self.down.append(self._pair(inputs, outputs))
        for inputs, outputs in zip(self.WIDTHS[:0:-1], self.WIDTHS[-2::-1]):
            self.rise.append(nn.Sequential(
                nn.ConvTranspose2d(inputs, outputs, 2, 2), nn.BatchNorm2d(outputs), nn.ReLU()))
            self.up.append(self._pair(2 * outputs, outputs))
        self.pool = nn.MaxPool2d(2)
        self.classify = nn.Conv2d(self.WIDTHS[0], 2, 1)

    @staticmethod
    def _pair(inputs, outputs):
        return nn.Sequential(conv_norm(inputs, outputs, 3, nn.ReLU),
                             conv_norm(outputs, outputs, 3, nn.ReLU))

    def forward(self, x):
        skips = []
        for index, block in enumerate(self.down):
            x = block(x if index == 0 else self.pool(x))
            skips.append(x)
        skips.pop()
        for rise, block in zip(self.rise, self.up):
            x = block(torch.cat([skips.pop(), rise(x)], 1))
        return self.classify(x)


class YoloV3Tiny(nn.Module):
    """The layout of YOLOv3-tiny (Redmon and Farhadi, 2018), up to its two raw heads.

    [batch, 3, H, W], H and W multiples of 32, to [batch, 255, H/32, W/32] and
    [batch, 255, H/16, W/16].
    """

    def __init__(self, anchors=3, classes=80):
        super().__init__()
        def leaky():
            return nn.LeakyReLU(0.1)
        head = anchors * (classes + 5)
        stem, inputs = [], 3
        for width in (16, 32, 64, 128):
            stem += [conv_norm(inputs, width, 3, leaky), nn.MaxPool2d(2)]
            inputs = width
        self.stem = nn.Sequential(*stem, conv_norm(128, 256, 3, leaky))
        self.deep = nn.Sequential(
            nn.MaxPool2d(2), conv_norm(256, 512, 3, leaky), nn.ZeroPad2d((0, 1, 0, 1)),
            nn.MaxPool2d(2, 1), conv_norm(512, 1024, 3, leaky), conv_norm(1024, 256, 1, leaky))
        self.coarse = nn.Sequential(conv_norm(256, 512, 3, leaky), nn.Conv2d(512, head, 1))
        self.rise = nn.Sequential(conv_norm(256, 128, 1, leaky), nn.Upsample(scale_factor=2))
        self.fine = nn.Sequential(conv_norm(384, 256, 3, leaky), nn.Conv2d(256, head, 1))

    def forward(self, x):
        shallow = self.stem(x)
        deep = self.deep(shallow)
        return self.coarse(deep), self.fine(torch.cat([self.rise(deep), shallow], 1))


def mlp_bn():
    """[batch, 256] to [batch, 10]; BN before activations and once after one."""
    return nn.Sequential(
        nn.Linear(256, 512), nn.BatchNorm1d(512), nn.ReLU(),
        nn.Linear(512, 512, bias=False), nn.BatchNorm1d(512), nn.ReLU(),
        nn.Linear(512, 256), nn.ReLU(), nn.BatchNorm1d(256),
        nn.Linear(256, 128), nn.BatchNorm1d(128), nn.Tanh(),
        nn.Linear(128, 10))


class Residual1d(nn.Module):
    def __init__(self, channels, dilation):
        super().__init__()
        self.body = nn.Sequential(
            nn.Conv1d(channels, channels, 5, padding=2 * dilation, dilation=dilation, bias=False),
            nn.BatchNorm1d(channels), nn.ReLU(),
            nn.Conv1d(channels, channels, 5, padding=2, groups=channels, bias=False),
            nn.BatchNorm1d(channels), nn.Conv1d(channels, channels, 1), nn.BatchNorm1d(channels))
        self.activation = nn.ReLU()

    def forward(self, x):
        return self.activation(self.body(x) + x)


def cnn1d():
    """[batch, 2, length] to [batch, 5]: strided, dilated, depthwise, grouped, with BN."""
    return nn.Sequential(
        nn.Conv1d(2, 32, 7, stride=2, padding=3), nn.BatchNorm1d(32), nn.ReLU(), nn.MaxPool1d(2),
        Residual1d(32, 1), Residual1d(32, 2),
        nn.Conv1d(32, 64, 3, stride=2, padding=1, groups=4, bias=False), nn.BatchNorm1d(64),
        nn.ReLU(), Residual1d(64, 4),
        nn.Conv1d(64, 128, 3, stride=2), nn.ReLU(), nn.BatchNorm1d(128),
        nn.AdaptiveAvgPool1d(1), nn.Flatten(), nn.Linear(128, 5))
