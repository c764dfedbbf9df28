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


def test_a_format_has_its_bits(table):
    bits = {name: round(bits, 3) for name, (bits, _) in table.items()}

    assert bits == dict.fromkeys(FORMATS, 4 + 32 / 64) | {
        "NF4, double quantization": round(4 + 8 / 64 + 32 / (64 * 256), 3),
        "INT4, affine": 4 + 2 * 32 / 64,  # a step and a minimum
    }


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
    error = quantization_error(weight, weight + torch.tensor([0.0, 3.0, -1.0, 0.0]))
    assert (error.mean_absolute, error.largest) == (1.0, 3.0)
    assert error.root_mean_square == pytest.approx(2.5**0.5)


@pytest.mark.parametrize("dtype", [torch.float64, torch.bfloat16])
def test_errors_are_measured_in_float32_whatever_the_type(dtype):
    weight, restored = torch.randn(2, 999).to(dtype)
    assert quantization_error(weight, restored) == quantization_error(weight.float(), restored.float())


@pytest.fixture
def printed(capsys, monkeypatch):
    """What the command prints with these options."""
    monkeypatch.setenv("COLUMNS", "120")

    def run(*options):
        monkeypatch.setattr("sys.argv", ["error", *options])
        main()
        return capsys.readouterr().out

    return run


def test_the_command_prints_every_format(printed):
    told = printed("--size", "32")
    assert all(name in told for name in FORMATS)


def test_the_command_measures_the_weights_of_its_seed_in_blocks_of_its_size(printed):
    weight = torch.randn(32, 32, generator=torch.Generator().manual_seed(3))
    told = printed("--size", "32", "--block-size", "16", "--seed", "3")
    assert all(f"{error.root_mean_square:.4f}" in told for _, error in error_table(weight, 16).values())


def test_without_a_seed_the_command_takes_0(printed):
    assert printed("--size", "32") == printed("--size", "32", "--seed", "0")


def test_without_a_size_only_the_block_size_is_wrong(printed):
    with pytest.raises(ValueError, match=r"power of two.*15"):
        printed("--block-size", "15")


def test_the_help_says_what_is_measured(printed, capsys):
    with pytest.raises(SystemExit):
        printed("--help")
    told = " ".join(capsys.readouterr().out.split())
    assert "Errors of the 4-bit formats on normally distributed weights" in told
    assert "rows and columns of the matrix (default 2048)" in told
