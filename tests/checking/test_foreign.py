"""Networks that others wrote are measured without an error, and seen right.

`make test-network` installs their packages into a temporary folder, for they are no dependency.
"""

from __future__ import annotations

import importlib
import subprocess
import sys
import warnings
from collections.abc import Iterator
from typing import Any

import pytest
import torch
from checking.networks import inputs

import selfnorm
from selfnorm.checking.report import Report

pytestmark = pytest.mark.network
PACKAGES = [
    "tabm", "rtdl_num_embeddings", "rtdl_revisiting_models", "x-transformers", "loguru", "einx", "frozendict", "einops",
    "torch-einops-utils", "monai", "pytorch-tabnet", "siren-pytorch", "efficientnet-pytorch", "mlp-mixer-pytorch",
]  # fmt: skip


@pytest.fixture(scope="module", autouse=True)
def packages(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    folder = tmp_path_factory.mktemp("foreign")
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps", "--target", str(folder), *PACKAGES]
    subprocess.run(command, check=True, timeout=300)
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(folder))
        yield


@pytest.fixture(autouse=True)
def same_weights() -> None:
    torch.manual_seed(0)


def foreign(module: str) -> Any:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return importlib.import_module(module)


def check(model: torch.nn.Module, batch: Any) -> Report:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        before = {name: tensor.clone() for name, tensor in model.state_dict().items()}
        report = selfnorm.check(model, batch)
    assert all(torch.equal(tensor, before[name]) for name, tensor in model.state_dict().items())
    assert all(not module._forward_hooks and not module._forward_pre_hooks for module in model.modules())
    assert len(str(report).splitlines()) > len(report.layers)
    assert report.table.gradient_second_moment.notna().any()
    return report


CATEGORIES = torch.arange(128).view(64, 2) % 3


def test_tabm_shares_activations_over_an_ensemble() -> None:
    model = foreign("tabm").TabM.make(n_num_features=8, cat_cardinalities=[3, 4], d_out=2)
    report = check(model, {"x_num": inputs(64, 8), "x_cat": CATEGORIES})
    assert len(report.layers) == 3
    assert report.findings == []


def test_rtdl_mlp_is_recognized_in_full() -> None:
    model = foreign("rtdl_revisiting_models").MLP(d_in=8, d_out=1, n_blocks=4, d_block=64, dropout=0.1)
    report = check(model, inputs(256, 8))
    assert report.table.gain[:-1].between(0.3, 0.37).all()
    assert report.table.gain_needed[:-1].round(6).eq(2).all()


def test_an_attention_s_small_gradients_are_no_finding() -> None:
    module = foreign("rtdl_revisiting_models")
    settings = module.FTTransformer.get_default_kwargs()
    model = module.FTTransformer(n_cont_features=8, cat_cardinalities=[3, 4], d_out=1, **settings)
    assert check(model, (inputs(64, 8), CATEGORIES)).findings == []


def test_x_transformers() -> None:
    module = foreign("x_transformers")
    layers = module.Decoder(dim=64, depth=3, heads=4)
    model = module.TransformerWrapper(num_tokens=100, max_seq_len=64, attn_layers=layers)
    report = check(model, torch.arange(128).view(4, 32) % 100)
    assert report.table.activation.str.len().gt(0).sum() == 3
    assert report.findings == []


def test_monai_unet_normalizes_before_selu() -> None:
    model = foreign("monai.networks.nets").UNet(
        spatial_dims=2, in_channels=1, out_channels=2, channels=(8, 16, 32), strides=(2, 2), act="selu"
    )
    (found,) = check(model, inputs(4, 1, 32, 32)).findings
    assert found.startswith("Batch or instance normalization stands before SELU")


def test_monai_densenet() -> None:
    model = foreign("monai.networks.nets").DenseNet121(spatial_dims=2, in_channels=3, out_channels=2)
    assert check(model, inputs(4, 3, 64, 64)).findings == []


def test_tabnet() -> None:
    model = foreign("pytorch_tabnet.tab_network").TabNet(8, 2, group_attention_matrix=torch.eye(8))
    assert len(check(model, inputs(128, 8)).layers) == 20


def test_siren_has_a_sine_of_its_own() -> None:
    model = foreign("siren_pytorch").SirenNet(dim_in=2, dim_hidden=64, dim_out=1, num_layers=4)
    table = check(model, inputs(128, 2).clamp(-1, 1)).table
    torch.testing.assert_close(
        torch.tensor(table.activation_variance), torch.tensor(table.activation_variance_theory), rtol=0.1, atol=0
    )


def test_efficientnet_reuses_its_swish_and_hides_its_sigmoid() -> None:
    model = foreign("efficientnet_pytorch").EfficientNet.from_name("efficientnet-b0")
    report = check(model, inputs(4, 3, 64, 64))
    assert "Sigmoid was called as a function" in report.notes[0]
    assert "_blocks.1._swish (3)" in report.table.layer.tolist()


def test_mlp_mixer_uses_convolutions_over_tokens() -> None:
    model = foreign("mlp_mixer_pytorch").MLPMixer(
        image_size=32, channels=3, patch_size=8, dim=64, depth=4, num_classes=10
    )
    assert check(model, inputs(4, 3, 32, 32)).findings == []
