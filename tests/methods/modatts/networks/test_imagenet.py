import numpy as np
import pytest
import torch

from medsearch.core.errors import BadInput
from medsearch.methods.modatts.networks.config import TransUNetConfig
from medsearch.methods.modatts.networks.imagenet import POSITIONS, load_imagenet
from medsearch.methods.modatts.networks.transunet import TransUNetEncoder

CONFIG = TransUNetConfig(
    input_size=64, width=4, units=(1, 2, 1), hidden=12, layers=2, heads=3, mlp=20, bridge=8, decoder=(8, 8, 8, 8)
)
GRID = 3  # of the stored positions; the encoder's is 4


def published_names():
    """Names and shapes as in R50+ViT-B_16.npz, for a network of CONFIG's sizes, written down independently."""
    width, hidden, heads, mlp = CONFIG.width, CONFIG.hidden, CONFIG.heads, CONFIG.mlp
    shapes = {"conv_root/kernel": (7, 7, 3, width), "gn_root/scale": (1, 1, 1, width), "gn_root/bias": (1, 1, 1, width)}
    before = width
    for block, units in enumerate(CONFIG.units, 1):
        out = 4 * width * 2 ** (block - 1)
        for unit in range(1, units + 1):
            name, inner = f"block{block}/unit{unit}", out // 4
            kernels = {"conv1": (1, 1, before, inner), "conv2": (3, 3, inner, inner), "conv3": (1, 1, inner, out)}
            norms = {"gn1": inner, "gn2": inner, "gn3": out}
            if unit == 1:
                kernels["conv_proj"], norms["gn_proj"] = (1, 1, before, out), out
            shapes |= {f"{name}/{part}/kernel": shape for part, shape in kernels.items()}
            shapes |= {f"{name}/{part}/{of}": (1, 1, 1, n) for part, n in norms.items() for of in ("scale", "bias")}
            before = out
    shapes |= {"embedding/kernel": (1, 1, before, hidden), "embedding/bias": (hidden,), "cls": (1, 1, hidden)}
    shapes |= {POSITIONS: (1, GRID**2 + 1, hidden), "head/kernel": (hidden, 21), "head/bias": (21,)}
    shapes |= {"Transformer/encoder_norm/scale": (hidden,), "Transformer/encoder_norm/bias": (hidden,)}
    for layer in range(CONFIG.layers):
        name = f"Transformer/encoderblock_{layer}"
        attention = f"{name}/MultiHeadDotProductAttention_1"
        for part in ("query", "key", "value"):
            shapes |= {
                f"{attention}/{part}/kernel": (hidden, heads, hidden // heads),
                f"{attention}/{part}/bias": (heads, hidden // heads),
            }
        shapes |= {
            f"{attention}/out/kernel": (heads, hidden // heads, hidden),
            f"{attention}/out/bias": (hidden,),
            f"{name}/MlpBlock_3/Dense_0/kernel": (hidden, mlp),
            f"{name}/MlpBlock_3/Dense_0/bias": (mlp,),
            f"{name}/MlpBlock_3/Dense_1/kernel": (mlp, hidden),
            f"{name}/MlpBlock_3/Dense_1/bias": (hidden,),
        }
        shapes |= {f"{name}/LayerNorm_{n}/{of}": (hidden,) for n in (0, 2) for of in ("scale", "bias")}
    return shapes


@pytest.fixture
def arrays():
    draw = np.random.default_rng(0)
    return {name: draw.normal(size=shape).astype(np.float32) for name, shape in published_names().items()}


def saved(tmp_path, arrays):
    np.savez(tmp_path / "weights.npz", **arrays)
    return tmp_path / "weights.npz"


@pytest.fixture
def loaded(tmp_path, arrays):
    encoder = TransUNetEncoder(CONFIG)
    load_imagenet(encoder, saved(tmp_path, arrays))
    return encoder


def test_every_weight_is_overwritten(loaded):
    torch.manual_seed(1)
    fresh = TransUNetEncoder(CONFIG)
    names = {name for name, weight in loaded.named_parameters() if torch.equal(weight, fresh.get_parameter(name))}

    assert names == set()
    assert all(weight.requires_grad for weight in loaded.parameters())


def test_convolutions_come_as_out_in_height_width(loaded, arrays):
    stored = arrays["block2/unit1/conv2/kernel"]
    weight = loaded.resnet.blocks[1][0].conv2.weight.detach().numpy()

    assert weight[3, 5, 0, 2] == stored[0, 2, 5, 3]
    np.testing.assert_array_equal(weight, stored.transpose(3, 2, 0, 1))


def test_attention_equals_what_the_stored_tensors_compute(loaded, arrays):
    layer, x = loaded.layers[1], torch.randn(2, 5, CONFIG.hidden)
    name = "Transformer/encoderblock_1/MultiHeadDotProductAttention_1"
    stored = {key[len(name) + 1 :]: torch.from_numpy(array) for key, array in arrays.items() if key.startswith(name)}
    q, k, v = (
        torch.einsum("btc,chd->bthd", x, stored[f"{part}/kernel"]) + stored[f"{part}/bias"]
        for part in ("query", "key", "value")
    )
    weights = (torch.einsum("bthd,bshd->bhts", q, k) / (CONFIG.hidden / CONFIG.heads) ** 0.5).softmax(-1)
    mixed = torch.einsum("bhts,bshd->bthd", weights, v)
    expected = torch.einsum("bthd,hdc->btc", mixed, stored["out/kernel"]) + stored["out/bias"]

    ours_q, ours_k, ours_v = layer.qkv(x).unflatten(2, (3, CONFIG.heads, -1)).permute(2, 0, 3, 1, 4)
    attended = torch.nn.functional.scaled_dot_product_attention(ours_q, ours_k, ours_v)
    torch.testing.assert_close(layer.out(attended.transpose(1, 2).flatten(2)), expected, atol=1e-4, rtol=1e-4)


def test_mlp_and_norms_land_where_they_belong(loaded, arrays):
    name = "Transformer/encoderblock_0"
    layer = loaded.layers[0]

    np.testing.assert_array_equal(layer.mlp_in.weight.detach(), arrays[f"{name}/MlpBlock_3/Dense_0/kernel"].T)
    np.testing.assert_array_equal(layer.mlp_out.bias.detach(), arrays[f"{name}/MlpBlock_3/Dense_1/bias"])
    np.testing.assert_array_equal(layer.attention_norm.weight.detach(), arrays[f"{name}/LayerNorm_0/scale"])
    np.testing.assert_array_equal(layer.mlp_norm.bias.detach(), arrays[f"{name}/LayerNorm_2/bias"])
    np.testing.assert_array_equal(loaded.norm.weight.detach(), arrays["Transformer/encoder_norm/scale"])
    np.testing.assert_array_equal(loaded.resnet.gn_root.bias.detach(), arrays["gn_root/bias"].ravel())


def test_positions_lose_the_class_token_and_keep_their_corners(loaded, arrays):
    stored = arrays[POSITIONS][0, 1:].reshape(GRID, GRID, -1)
    ours = loaded.positions.detach().numpy()[0].reshape(4, 4, -1)

    for corner in ((0, 0), (0, -1), (-1, 0), (-1, -1)):
        np.testing.assert_allclose(ours[corner], stored[corner], atol=1e-6)
    np.testing.assert_allclose(ours[0, 1], stored[0, 0] / 3 + stored[0, 1] * 2 / 3, atol=1e-6)


def test_positions_of_the_same_grid_are_copied(tmp_path, arrays):
    arrays[POSITIONS] = np.random.default_rng(1).normal(size=(1, 17, CONFIG.hidden)).astype(np.float32)
    encoder = TransUNetEncoder(CONFIG)
    load_imagenet(encoder, str(saved(tmp_path, arrays)))

    np.testing.assert_array_equal(encoder.positions.detach(), arrays[POSITIONS][:, 1:])


def test_a_missing_array_is_named_and_nothing_is_overwritten(tmp_path, arrays):
    del arrays["Transformer/encoderblock_1/LayerNorm_2/scale"]
    encoder = TransUNetEncoder(CONFIG)
    before = {name: weight.clone() for name, weight in encoder.named_parameters()}

    with pytest.raises(BadInput, match=r"weights.npz: no array 'Transformer/encoderblock_1/LayerNorm_2/scale'"):
        load_imagenet(encoder, saved(tmp_path, arrays))
    assert all(torch.equal(weight, before[name]) for name, weight in encoder.named_parameters())


@pytest.mark.parametrize(
    ("name", "shape"),
    [
        ("block1/unit1/conv1/kernel", (1, 1, 4, 9)),
        ("block1/unit1/conv1/kernel", (4, 4)),
        ("embedding/bias", (13,)),
        ("Transformer/encoderblock_0/MultiHeadDotProductAttention_1/query/kernel", (12, 3, 5)),
        (POSITIONS, (1, 12, 12)),
    ],
)
def test_an_array_of_another_shape_is_named_with_the_file(tmp_path, arrays, name, shape):
    arrays[name] = np.zeros(shape, np.float32)

    with pytest.raises(BadInput, match=f"weights.npz: array '{name}' is {'x'.join(map(str, shape))}"):
        load_imagenet(TransUNetEncoder(CONFIG), saved(tmp_path, arrays))


@pytest.mark.parametrize("content", [b"", b"no archive", b"PK\x03\x04 cut short"])
def test_a_file_that_is_no_archive_is_named(tmp_path, content):
    path = tmp_path / "broken.npz"
    path.write_bytes(content)

    with pytest.raises(BadInput, match=r"broken.npz: not a readable .npz file"):
        load_imagenet(TransUNetEncoder(CONFIG), path)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(BadInput, match=r"absent\.npz"):
        load_imagenet(TransUNetEncoder(CONFIG), tmp_path / "absent.npz")


def test_pickled_objects_are_never_loaded(tmp_path, arrays):
    arrays["embedding/bias"] = np.array([{"code": "runs"}], dtype=object)

    with pytest.raises(BadInput, match=r"weights\.npz"):
        load_imagenet(TransUNetEncoder(CONFIG), saved(tmp_path, arrays))
