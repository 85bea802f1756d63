# SPDX-License-Identifier: BSD-3-Clause
"""A trained model in a file: read by others, and trained on from where it is."""

import json
import subprocess

import h5py
import numpy as np
import pytest
from conftest import BIN, ROOT

SMALL = ["--dataset", "fashion_mnist", "--train-samples", "400", "--test-samples", "300", "--epochs", "2", "--progress", "off"]


def train(results, run_id, *arguments, ranks=1, fails=False):
    command = [ROOT / "jobs/local.sh", ranks, BIN / "train", *SMALL, "--results", results, "--run-id", run_id, *arguments]
    done = subprocess.run([*map(str, command)], cwd=ROOT, capture_output=True, text=True, timeout=300, stdin=subprocess.DEVNULL)
    assert (done.returncode == 2) if fails else (done.returncode == 0), done.stderr
    if fails:
        assert "MPI_ABORT" not in done.stderr
        return done.stderr
    with h5py.File(results / "runs" / f"{run_id}.h5") as run:
        return {name: run[name][()] for name in ("epochs/test_accuracy", "epochs/test_loss", "epochs/train_loss")} | {
            name: run[f"provenance/{name}"].asstr()[()]
            for name in ("parameters_sha256", "init_from_sha256")
            if name in run["provenance"]
        }


def images(kind, count):
    folder = ROOT / "data/fashion_mnist"
    pixels = np.frombuffer((folder / f"{kind}-images-idx3-ubyte").read_bytes()[16:], np.uint8)
    labels = np.frombuffer((folder / f"{kind}-labels-idx1-ubyte").read_bytes()[8:], np.uint8)
    return pixels.reshape(-1, 28 * 28)[:count].astype(np.float32) / 255, labels[:count].astype(np.int64)


def test_it_is_read_in_three_lines_and_classifies_as_the_run_says(tmp_path):
    run = train(tmp_path, "a", "--model", "mlp:784-20-10", "--save-model", tmp_path / "deep/model.h5")
    with h5py.File(tmp_path / "deep/model.h5") as file:
        layers = {name: (layer["weight"][()], layer["bias"][()]) for name, layer in file["parameters"].items()}
        assert json.loads(file["model"].asstr()[()])["loss"] == "cross_entropy_logits"
        assert file["provenance/parameters_sha256"].asstr()[()] == run["parameters_sha256"]
    assert {name: w.shape for name, (w, _) in layers.items()} == {"linear1": (784, 20), "linear3": (20, 10)}
    x, labels = images("t10k", 300)
    hidden = np.maximum(x @ layers["linear1"][0] + layers["linear1"][1], 0)
    found = (hidden @ layers["linear3"][0] + layers["linear3"][1]).argmax(axis=1)
    assert (found == labels).mean() == pytest.approx(run["epochs/test_accuracy"][-1])


@pytest.mark.parametrize("model, ranks", [("mlp:784-20-10", 1), ("lenet5", 3), ("resnet8", 2)])
def test_who_starts_from_it_starts_where_it_ended(tmp_path, model, ranks):
    """On any number of ranks: a learning rate of next to nothing keeps the parameters."""
    first = train(tmp_path, "first", "--model", model, "--save-model", tmp_path / "model.h5")
    algorithm = ["--algorithm", "parallel_sgd", "--exchange", "allreduce", "--optimizer", "sgd", "--learning-rate", "1e-30"]
    again = train(tmp_path, "again", "--model", model, "--init-from", tmp_path / "model.h5", *algorithm, ranks=ranks)
    assert "init_from_sha256" not in first
    if model != "resnet8":  # whose checksum is that of its statistics too, which move without a learning rate
        assert again["init_from_sha256"] == first["parameters_sha256"]
        assert again["epochs/test_loss"][0] == pytest.approx(first["epochs/test_loss"][-1], rel=1e-5)
    else:
        assert again["epochs/test_loss"][0] < 1.1 * first["epochs/test_loss"][-1]


def test_all_algorithms_save_what_they_evaluate(tmp_path):
    for algorithm in ("parallel_sgd", "param_avg", "w_param_avg"):
        run = train(
            tmp_path, algorithm, "--model", "mlp:784-8-10", "--algorithm", algorithm, "--save-model", tmp_path / algorithm, ranks=2
        )
        with h5py.File(tmp_path / algorithm) as file:
            assert file["provenance/parameters_sha256"].asstr()[()] == run["parameters_sha256"]


@pytest.mark.parametrize("ranks", [1, pytest.param(2, marks=pytest.mark.long)])
def test_what_is_no_model_of_this_kind_is_refused(tmp_path, ranks):
    algorithm = ["--algorithm", "parallel_sgd", "--model", "mlp:784-8-10"]
    train(tmp_path, "a", *algorithm, "--save-model", tmp_path / "model.h5")
    start = [*algorithm, "--init-from"]
    said = train(tmp_path, "b", *start[:3], "mlp:784-9-10", "--init-from", tmp_path / "model.h5", ranks=ranks, fails=True)
    assert "linear1/weight [784, 9]" in said and "linear1/weight [784, 8]" in said
    assert "no model file" in train(tmp_path, "c", *start, tmp_path / "runs/a.h5", ranks=ranks, fails=True)
    assert "there is no model file" in train(tmp_path, "d", *start, tmp_path / "none.h5", ranks=ranks, fails=True)
    broken = tmp_path / "broken.h5"
    broken.write_bytes((tmp_path / "model.h5").read_bytes()[:3000])
    assert "cannot read a model from" in train(tmp_path, "e", *start, broken, ranks=ranks, fails=True)
    said = train(tmp_path, "f", *algorithm, "--save-model", "/proc/none/model.h5", ranks=ranks, fails=True)
    assert "/proc/none" in said


def torch_model(torch, description, file):
    """A function of images [B, 784] in PyTorch, with the file's tensors; and what is to be trained."""
    functional, tensors = torch.nn.functional, {}

    def tensor(name, kind="parameters"):
        key = f"{kind}/{name}"
        if key not in tensors:
            tensors[key] = torch.tensor(file[key][()], requires_grad=kind == "parameters")
        return tensors[key]

    def forward(x):
        values = {"input": x.reshape(-1, 1, 28, 28)}
        last = "input"
        for index, layer in enumerate(description["layers"]):
            kind = layer["type"]
            name = layer.get("name", f"{kind}{index}")
            inputs = [values[i] for i in layer.get("inputs", [last])]
            x = inputs[0]
            if kind == "flatten":
                x = x.flatten(1)
            elif kind == "linear":
                x = x.flatten(1) @ tensor(f"{name}/weight") + tensor(f"{name}/bias")
            elif kind == "conv2d":
                x = functional.conv2d(
                    x,
                    tensor(f"{name}/weight"),
                    tensor(f"{name}/bias"),
                    stride=layer.get("stride", 1),
                    padding=layer.get("padding", 0),
                )
            elif kind == "batch_norm":
                x = functional.batch_norm(
                    x,
                    tensor(f"{name}/running_mean", "state"),
                    tensor(f"{name}/running_variance", "state"),
                    tensor(f"{name}/gamma"),
                    tensor(f"{name}/beta"),
                    training=True,
                    momentum=0.1,
                    eps=1e-5,
                )
            elif kind == "relu":
                x = functional.relu(x)
            elif kind == "max_pool2d":
                x = functional.max_pool2d(x, layer["kernel"], layer.get("stride", layer["kernel"]))
            elif kind == "global_avg_pool2d":
                x = x.mean(dim=(2, 3))
            elif kind == "add":
                x = sum(inputs)
            else:
                raise NotImplementedError(kind)
            values[name] = x
            last = name
        return x

    return forward, lambda: [t for t in tensors.values() if t.requires_grad]


@pytest.mark.long  # PyTorch is no part of what `make test` needs
@pytest.mark.parametrize("model, rate", [("mlp:784-20-10", 0.1), ("lenet5", 0.005), ("resnet8", 0.05)])
def test_pytorch_that_starts_from_it_has_the_same_losses(tmp_path, model, rate):
    torch = pytest.importorskip("torch", reason="PyTorch is not installed: make deps DEPS=peers")
    train(tmp_path, "first", "--model", model, "--save-model", tmp_path / "model.h5")
    plain = ["--optimizer", "sgd", "--momentum", "0", "--weight-decay", "0", "--schedule", "constant"]  # whatever the model's recipe says
    settings = [*plain, "--gradient", "mean", "--learning-rate", rate]
    whole = ["--train-samples", "200", "--batch-size", "200", "--epochs", "50"]  # each epoch a step of all samples
    ours = train(tmp_path, "ours", "--model", model, "--init-from", tmp_path / "model.h5", *settings, *whole)
    x, labels = (torch.tensor(array) for array in images("train", 200))
    with h5py.File(tmp_path / "model.h5") as file:
        forward, parameters = torch_model(torch, json.loads(file["model"].asstr()[()]), file)
        losses = []
        for _ in range(50):
            loss = torch.nn.functional.cross_entropy(forward(x), labels)
            losses.append(float(loss.detach()))
            for gradient, tensor in zip(torch.autograd.grad(loss, parameters()), parameters()):
                tensor.data -= rate * gradient
    assert losses[-1] < 0.95 * losses[0]
    np.testing.assert_allclose(ours["epochs/train_loss"], losses, rtol=5e-4)
