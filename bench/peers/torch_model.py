# SPDX-License-Identifier: BSD-3-Clause
"""A model of Lockstep in PyTorch, made from the description that its run file holds: the same layers by construction."""

import torch
from torch import nn
from torch.nn import functional


class GaussianDropout(nn.Module):
    """Multiplies by noise of mean 1 and standard deviation rate (1 - rate), as Lockstep's gaussian_dropout does."""

    def __init__(self, rate):
        super().__init__()
        self.deviation = rate * (1.0 - rate)

    def forward(self, x):
        return x * torch.empty_like(x).normal_(1.0, self.deviation) if self.training else x


def initialize(layer, n_in, n_out, how):
    """Normal weights as in Lockstep's initializer: Xavier or He. Biases are zero."""
    variance = {"xavier": 2.0 / (n_in + n_out), "he": 2.0 / n_in}[how]
    nn.init.normal_(layer.weight, 0.0, variance**0.5)
    nn.init.zeros_(layer.bias)
    return layer


def make_layer(row, shape):
    """(layer, shape of its output) for one row of the description; shapes are those of one sample."""
    kind = row["type"]
    if kind == "flatten":
        size = 1
        for extent in shape:
            size *= extent
        return nn.Flatten(), (size,)
    if kind == "linear":
        return initialize(nn.Linear(shape[0], row["units"]), shape[0], row["units"], row["init"]), (row["units"],)
    if kind == "conv2d":
        kernel, padding = row["kernel"], row.get("padding", 0)
        layer = nn.Conv2d(shape[0], row["channels"], kernel, padding=padding)
        initialize(layer, shape[0] * kernel**2, row["channels"] * kernel**2, row["init"])
        return layer, (row["channels"], *(extent + 2 * padding - kernel + 1 for extent in shape[1:]))
    if kind == "max_pool2d":
        return nn.MaxPool2d(row["kernel"]), (shape[0], *(extent // row["kernel"] for extent in shape[1:]))
    simple = {"relu": lambda: nn.ReLU(inplace=True), "leaky_relu": lambda: nn.LeakyReLU(row["slope"], inplace=True),
              "softmax": lambda: nn.Softmax(dim=1), "gaussian_dropout": lambda: GaussianDropout(row["rate"])}
    if kind not in simple:
        raise ValueError(f"this comparison has no PyTorch counterpart of the layer '{kind}'")
    return simple[kind](), shape


def make_model(description, shape):
    layers = []
    for row in description["layers"]:
        layer, shape = make_layer(row, shape)
        layers.append(layer)
    return nn.Sequential(*layers)


def half_squared_distance(out, targets):
    return 0.5 * functional.mse_loss(out, targets, reduction="sum")


def make_loss(name, labels, classes):
    """(loss summed over a batch, targets of all samples) as Lockstep defines the loss."""
    if name == "mse":
        return half_squared_distance, functional.one_hot(labels, classes).float()
    if name == "cross_entropy_logits":
        return (lambda out, targets: functional.cross_entropy(out, targets, reduction="sum")), labels
    raise ValueError(f"this comparison has no PyTorch counterpart of the loss '{name}'")


def make_optimizer(config, parameters):
    if config["optimizer"] == "sgd":
        return torch.optim.SGD(parameters, lr=config["learning_rate"], momentum=config["momentum"],
                               nesterov=config["nesterov"], weight_decay=config["weight_decay"])
    kind = {"adam": torch.optim.Adam, "adamw": torch.optim.AdamW}[config["optimizer"]]
    return kind(parameters, lr=config["learning_rate"], betas=(config["beta1"], config["beta2"]),
                eps=config["epsilon"], weight_decay=config["weight_decay"])
