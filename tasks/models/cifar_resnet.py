"""The CIFAR residual networks of He et al. (2016), section 4.2: depth 6n+2 on 32 x 32 images.

Parameter names follow the widely used re-implementation by Yerlan Idelbayev, so that its published
checkpoints load unchanged. Shortcuts are "option A": no parameters, subsampling and zero channels.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional

STAGE_CHANNELS = (16, 32, 64)


class BasicBlock(nn.Module):
    """Two 3x3 convolutions around an option-A shortcut."""

    def __init__(self, channels_in: int, channels: int, stride: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(channels_in, channels, 3, stride, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(channels)
        self.conv2 = nn.Conv2d(channels, channels, 3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(channels)
        self.stride = stride
        self.padding = (channels - channels_in) // 2

    def forward(self, images: Tensor) -> Tensor:
        out = functional.relu(self.bn1(self.conv1(images)))
        out = self.bn2(self.conv2(out))
        shortcut = images
        if self.stride != 1:
            shortcut = functional.pad(
                images[:, :, :: self.stride, :: self.stride],
                (0, 0, 0, 0, self.padding, self.padding),
            )
        return functional.relu(out + shortcut)


class CifarResNet(nn.Module):
    """Images [n, 3, 32, 32] to logits [n, classes]."""

    def __init__(self, blocks_per_stage: int, classes: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(3, STAGE_CHANNELS[0], 3, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(STAGE_CHANNELS[0])
        stages: list[nn.Sequential] = []
        channels_in = STAGE_CHANNELS[0]
        for stage, channels in enumerate(STAGE_CHANNELS):
            blocks: list[nn.Module] = []
            for block in range(blocks_per_stage):
                stride = 2 if stage > 0 and block == 0 else 1
                blocks.append(BasicBlock(channels_in, channels, stride))
                channels_in = channels
            stages.append(nn.Sequential(*blocks))
        self.layer1, self.layer2, self.layer3 = stages
        self.linear = nn.Linear(STAGE_CHANNELS[-1], classes)

    def forward(self, images: Tensor) -> Tensor:
        out = functional.relu(self.bn1(self.conv1(images)))
        out = self.layer3(self.layer2(self.layer1(out)))
        scores: Tensor = self.linear(torch.flatten(out.mean(dim=(2, 3)), 1))
        return scores


def cifar_resnet(depth: int = 20, classes: int = 10) -> CifarResNet:
    """An untrained network of ``depth`` = 6n+2 layers (8, 14, 20, 32, 44, 56, 110).

    Raises:
        ValueError: the depth is not of the form 6n+2.
    """
    if depth < 8 or (depth - 2) % 6:
        raise ValueError(f"depth {depth}: a CIFAR ResNet has 6n+2 layers (8, 14, 20, 56, 110 …)")
    return CifarResNet((depth - 2) // 6, classes)
