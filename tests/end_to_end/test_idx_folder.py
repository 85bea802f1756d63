# SPDX-License-Identifier: BSD-3-Clause
"""Any folder of IDX files is a data set; one that is none ends every rank with one clear error."""

import gzip

import h5py
import numpy as np
import pytest

TRAIN, TEST = 400, 80


TYPE_CODES = {"u1": 0x08, "i4": 0x0C, "f4": 0x0D}


def idx(array, kind="u1"):
    """The bytes of an IDX file of values of the type `kind`."""
    sizes = b"".join(size.to_bytes(4, "big") for size in array.shape)
    return bytes([0, 0, TYPE_CODES[kind], array.ndim]) + sizes + array.astype(f">{kind}").tobytes()


@pytest.fixture
def letters(tmp_path):
    """Four letters, counted from 1 as EMNIST does, of 12 x 9 pixels, zipped; each has bright rows of its own."""
    random = np.random.default_rng(1)
    for split, count in (("train", TRAIN), ("test", TEST)):
        labels = np.arange(count) % 4 + 1
        images = random.integers(0, 100, (count, 12, 9)) + 150 * (np.arange(12) // 3 == labels[:, None] - 1)[:, :, None]
        for kind, array in (("images-idx3", images), ("labels-idx1", labels)):
            (tmp_path / f"emnist-letters-{split}-{kind}-ubyte.gz").write_bytes(gzip.compress(idx(array)))
    return tmp_path


def train(lockstep, folder, option="", ranks=2):
    return lockstep.run("--algorithm", "param_avg", "--dataset", f"idx:{folder}{option}", "--model", "mlp:108-16-4", "--epochs", "8",
                        "--optimizer", "adam", "--learning-rate", "0.01", "--gradient", "mean", "--batch-size", "16",
                        "--results", lockstep.folder, ranks=ranks, timeout=60)


def test_a_folder_trains_and_the_wrong_first_label_is_answered_with_what_to_type(lockstep, letters):
    refused = train(lockstep, letters)
    assert refused.status == 2
    assert "first_label=1" in refused.err and "1 to 4" in refused.err

    done = train(lockstep, letters, ",first_label=1")
    assert done.status == 0, done.err
    (path,) = lockstep.files()
    assert letters.name in path.name
    with h5py.File(path) as file:
        assert file["epochs/test_accuracy"][-1] > 0.9


@pytest.mark.parametrize("exchange", ["allreduce", "shared"])
def test_values_of_any_type_train_to_the_same_bits(lockstep, tmp_path, exchange):
    """Bytes are seen as their 255th part; so floats that are that already must be the same to a model."""
    parameters = set()
    for folder, kind, name in (("bytes", "u1", "ubyte"), ("floats", "f4", "float")):
        (tmp_path / folder).mkdir()
        random = np.random.default_rng(2)
        for split, count in (("train", 301), ("test", 61)):  # odd: what is aligned does not follow by itself
            images = random.integers(0, 256, (count, 6, 7))
            labels = random.integers(0, 300, count)
            values = images if kind == "u1" else images.astype(np.float32) * (np.float32(1) / np.float32(255))
            (tmp_path / folder / f"{split}-images-idx3-{name}").write_bytes(idx(values, kind))
            (tmp_path / folder / f"{split}-labels-idx1-int").write_bytes(idx(labels, "i4"))
        done = lockstep.run("--algorithm", "parallel_sgd", "--exchange", exchange, "--dataset", f"idx:{tmp_path / folder}",
                            "--model", "mlp:42-32-300", "--epochs", "2", "--batch-size", "16", "--gemm", "tiled", "--run-id", folder,
                            "--results", lockstep.folder, ranks=2, timeout=60)
        assert done.status == 0, done.err
        with h5py.File(lockstep.folder / "runs" / f"{folder}.h5") as file:
            parameters.add(file["provenance/parameters_sha256"][()])
    assert len(parameters) == 1


def test_files_that_are_damaged_inside_end_every_rank_with_one_error(lockstep, letters):
    images = letters / "emnist-letters-train-images-idx3-ubyte.gz"
    whole = bytearray(images.read_bytes())
    whole[len(whole) // 2] ^= 0xFF
    images.write_bytes(whole)
    result = train(lockstep, letters, ",first_label=1", ranks=3)
    assert result.status == 2, result.err
    assert result.err.count("error:") == 1 and str(images) in result.err
    assert "MPI_ABORT" not in result.err
    assert not lockstep.files()
