import pytest
import torch

from quant.error import FORMATS, error_table, main, quantization_error

PUBLISHED = {  # mean absolute error, root mean square, signal to noise in dB: normal weights in blocks of 64
    "NF4": (0.07278, 0.09196, 20.73),
    "NF4, double quantization": (0.07285, 0.09199, 20.73),
    "FP4": (0.0965, 0.1219, 18.28),
    "INT4, symmetric": (0.0913, 0.1076, 19.36),
    "INT4, affine": (0.0757, 0.0896, 20.96),
}


@pytest.fixture(scope="module")
def table():
    return error_table(torch.randn(1024, 1024, generator=torch.Generator().manual_seed(0)))


@pytest.mark.parametrize("name", PUBLISHED)
def test_errors_on_normal_weights_are_the_measured_ones(table, name):
    mean_absolute, root_mean_square, snr = PUBLISHED[name]
    _, error = table[name]
    assert error.mean_absolute == pytest.approx(mean_absolute, rel=0.005)
    assert error.root_mean_square == pytest.approx(root_mean_square, rel=0.005)
    assert error.snr == pytest.approx(snr, abs=0.05)


def test_nf4_is_not_the_best_in_everything(table):
    """Affine INT4 has the lower mean square on normal weights (and half a bit more); NF4 the lower mean."""
    (_, nf4), (_, affine) = table["NF4"], table["INT4, affine"]
    assert affine.root_mean_square < nf4.root_mean_square
    assert nf4.mean_absolute < affine.mean_absolute


@pytest.mark.parametrize(("block_size", "root_mean_square"), [(32, 0.0873), (128, 0.0956), (1024, 0.1043)])
def test_larger_blocks_lose_more(block_size, root_mean_square):
    weight = torch.randn(512, 1024, generator=torch.Generator().manual_seed(1))
    _, error = error_table(weight, block_size)["NF4"]
    assert error.root_mean_square == pytest.approx(root_mean_square, rel=0.01)


def test_the_error_of_a_known_difference():
    weight = torch.tensor([1.0, 2.0, 3.0, 6.0])
    error = quantization_error(weight, weight + torch.tensor([0.0, 1.0, -1.0, 0.0]))
    assert (error.mean_absolute, error.largest) == (0.5, 1.0)
    assert error.root_mean_square == pytest.approx(0.5**0.5)


def test_the_command_prints_every_format(capsys, monkeypatch):
    monkeypatch.setattr("sys.argv", ["error", "--size", "32"])
    monkeypatch.setenv("COLUMNS", "120")
    main()
    printed = capsys.readouterr().out
    assert all(name in printed for name in FORMATS)
