# SPDX-License-Identifier: BSD-3-Clause
"""Trains one model with PyTorch as a competent user would, and writes what it took. Run under the same launcher as Lockstep;
several ranks make it DistributedDataParallel over gloo.      torch_worker.py JOB.json RESULT.json"""

import ctypes
import json
import os
import sys
import time

import numpy as np
import torch
import torch.distributed as distributed
from torch.nn.parallel import DistributedDataParallel

from torch_model import make_loss, make_model, make_optimizer

EVALUATION_BATCH = 256


def read_idx(path):
    """The array in an IDX file of unsigned bytes (data/README.md)."""
    raw = np.fromfile(path, dtype=np.uint8)
    dimensions = [int.from_bytes(raw[4 + 4 * i:8 + 4 * i].tobytes(), "big") for i in range(raw[3])]
    return raw[4 + 4 * len(dimensions):].reshape(dimensions)


def load(job, part, most):
    """(images [n, 1, h, w], labels [n]), at most so many (0: all). Kept as bytes they are scaled to 0 .. 1 batch by batch, as in
    Lockstep; kept as float that is done here once, off the clock, but each batch then reads four times as much memory."""
    most = most or None
    images = torch.from_numpy(read_idx(f"{job['data']}/{part}-images-idx3-ubyte"))[:most].unsqueeze(1)
    labels = torch.from_numpy(read_idx(f"{job['data']}/{part}-labels-idx1-ubyte"))[:most].long()
    storage = job["storage"]
    return (images.float() / 255.0 if storage == "float" else images), labels


def gather(images, ids):
    batch = images.index_select(0, ids)
    return batch if batch.is_floating_point() else batch.float().mul_(1.0 / 255.0)


def evaluate(model, images, labels):
    model.eval()
    with torch.no_grad():
        correct = sum(int((model(gather(images, ids)).argmax(1) == labels[ids]).sum())
                      for ids in torch.arange(len(labels)).split(EVALUATION_BATCH))
    model.train()
    return correct / len(labels)


class Training:
    def __init__(self, job, rank, ranks):
        config = job["config"]
        self.rank, self.ranks, self.batch = rank, ranks, config["batch_size"]
        torch.manual_seed(config["seed"])  # the same on every rank: one initial model, one order of the samples
        self.images, labels = load(job, "train", config["train_samples"])
        self.test = load(job, "t10k", config["test_samples"])
        self.loss, self.targets = make_loss(job["model"]["loss"], labels, job["classes"])
        self.model = self.plain_model = make_model(job["model"], tuple(self.images.shape[1:]))
        self.order = torch.Generator().manual_seed(config["seed"])
        torch.manual_seed(config["seed"] + 1000 * (rank + 1))  # dropout differs from rank to rank
        if ranks > 1:
            self.model = DistributedDataParallel(self.plain_model, gradient_as_bucket_view=True, broadcast_buffers=False)
        self.mean = config["gradient"] == "mean"
        self.optimizer = make_optimizer(config, self.plain_model.parameters())

    def epoch(self):
        """One epoch; returns the mean loss of this rank's samples. DDP averages gradients over the ranks, so that each rank's is
        taken times their number: the sum over the global batch, as in Lockstep, divided by its size where the mean is wanted."""
        total = torch.zeros(())
        for whole in torch.randperm(len(self.images), generator=self.order).split(self.batch):
            ids = whole.tensor_split(self.ranks)[self.rank] if self.ranks > 1 else whole
            self.optimizer.zero_grad(set_to_none=True)
            loss = self.loss(self.model(gather(self.images, ids)), self.targets.index_select(0, ids))
            scale = self.ranks / (len(whole) if self.mean else 1)
            (loss if scale == 1 else loss * scale).backward()
            self.optimizer.step()
            total += loss.detach()
        return float(total) * self.ranks / len(self.images)


def slowest(seconds, ranks):
    value = torch.tensor(seconds, dtype=torch.float64)
    if ranks > 1:
        distributed.all_reduce(value, distributed.ReduceOp.MAX)
    return float(value)


def train(job, rank, ranks):
    training = Training(job, rank, ranks)
    epochs, losses, accuracies = [], [], []
    start = None
    for _ in range(job["epochs"]):
        if ranks > 1:
            distributed.barrier()
        before = time.perf_counter()
        start = start or before
        losses.append(training.epoch())
        epochs.append(slowest(time.perf_counter() - before, ranks))
        accuracies.append(evaluate(training.plain_model, *training.test))  # off the clock
    return {"epoch_s": epochs, "train_loss": losses, "accuracy": accuracies, "wall_s": time.perf_counter() - start,
            "parameters": sum(p.numel() for p in training.plain_model.parameters())}


def loaded_blas():
    """The BLAS that this process has loaded, as files: PyTorch's own description says only that there is one."""
    with open("/proc/self/maps") as maps:
        files = {line.split()[-1] for line in maps if "/" in line}
    return sorted(f for f in files if any(word in os.path.basename(f).lower() for word in ("blas", "mkl_rt", "blis")))


def blas_library(files):
    """How an OpenBLAS among these describes itself, the kernel that it chose included; None if there is none."""
    for file in files:
        config = getattr(ctypes.CDLL(file), "openblas_get_config", None)
        if config is not None:
            config.restype = ctypes.c_char_p
            return config().decode()
    return None


def describe(ranks):
    blas = loaded_blas()
    return {"torch": torch.__version__, "blas": blas, "blas_library": blas_library(blas),
            "threads": torch.get_num_threads(), "ranks": ranks, "cpus": sorted(os.sched_getaffinity(0)),
            "build": torch.__config__.show(), "mkldnn": torch.backends.mkldnn.is_available()}


def main(job_file, result_file):
    rank = int(os.environ.get("OMPI_COMM_WORLD_RANK", 0))
    ranks = int(os.environ.get("OMPI_COMM_WORLD_SIZE", 1))
    torch.set_num_threads(1)
    with open(job_file) as file:
        job = json.load(file)
    if ranks > 1:
        os.environ.setdefault("GLOO_SOCKET_IFNAME", "lo")  # one machine: its loopback is the quickest way
        distributed.init_process_group("gloo", init_method=f"file://{os.path.abspath(result_file)}.meet", rank=rank,
                                       world_size=ranks)
    result = train(job, rank, ranks)
    if rank == 0:
        with open(result_file, "w") as file:
            json.dump({**result, "about": describe(ranks)}, file)
    if ranks > 1:
        distributed.destroy_process_group()


if __name__ == "__main__":
    main(*sys.argv[1:])
