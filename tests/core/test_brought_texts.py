"""A small transformer of one's own: ids, a mask and places in a dictionary, against matrices by plain autograd."""

import numpy as np
import pytest
import torch
from brought import CE, made
from oracles import error
from torch import nn

from influence_core import wrap
from influence_core.curvature import network
from influence_core.settings import SettingsError

DAMPING, N, LONG = 0.1, 18, 5
RANDOM = np.random.default_rng(0)
MASK = (np.arange(LONG) < RANDOM.integers(1, LONG + 1, (24, 1))).astype(np.int64)
IDS = RANDOM.integers(1, 11, (24, LONG)) * MASK
X = {"input_ids": torch.tensor(IDS), "attention_mask": torch.tensor(MASK)}
Y = RANDOM.integers(0, 3, 24)
TRAIN, TEST = ({name: value[rows] for name, value in X.items()} for rows in (slice(N), slice(N, None)))


class Tiny(nn.Module):
    def __init__(self):
        super().__init__()
        self.words, self.places = nn.Embedding(11, 6), nn.Embedding(LONG, 6)
        self.q, self.k, self.v, self.o = (nn.Linear(6, 6) for _ in range(4))
        self.norm, self.up, self.down, self.head = nn.LayerNorm(6), nn.Linear(6, 8), nn.Linear(8, 6), nn.Linear(6, 3)

    def forward(self, input_ids, attention_mask):
        x = self.words(input_ids) + self.places(torch.arange(input_ids.shape[1]))
        weights = self.q(x) @ self.k(x).mT / 6**0.5
        weights = weights.masked_fill(attention_mask[:, None] == 0, float("-inf")).softmax(-1)
        x = self.norm(x + self.o(weights @ self.v(x)))
        x = x + self.down(torch.tanh(self.up(x)))
        mask = attention_mask[..., None].to(x.dtype)
        return {"logits": self.head((x * mask).sum(1) / mask.sum(1))}


class Whole(Tiny):
    def forward(self, batch):
        return super().forward(batch["input_ids"], batch["attention_mask"])


class ByTorch(nn.Module):
    """Torch's own layer: its attention is one matrix that no linear layer holds."""

    def __init__(self):
        super().__init__()
        self.words, self.head = nn.Embedding(11, 6), nn.Linear(6, 3)
        self.layer = nn.TransformerEncoderLayer(6, 2, 8, dropout=0.0, batch_first=True)

    def forward(self, ids):
        return self.head(self.layer(self.words(ids), src_key_padding_mask=ids == 0)[:, 0])


def asked(make=Tiny, train=TRAIN, test=TEST, solver="eigh", **options):
    options = {"damping": DAMPING, "curvature": "gauss_newton"} | options
    return wrap(made(make), CE).analyse(train, Y[:N], test, Y[N:], solver=solver, **options)


class Plain:
    """Rows of gradients, one example and one output at a time, and what every linear layer reads and is sent."""

    def __init__(self):
        self.module = made(Tiny)
        self.free, self.read, self.sent = list(self.module.parameters()), {}, {}
        for name, part in self.module.named_modules():
            if isinstance(part, nn.Linear):
                part.register_forward_hook(self.keep(name))
        self.rows, self.root = [], []  # J_i (3, p) of logits, R_i with C_i = R_i R_iᵀ
        for i in range(24):
            f = self.module(*(value[i : i + 1] for value in X.values()))["logits"][0]
            p = f.detach().softmax(0)
            self.rows.append(torch.stack([self.flat(value) for value in f]))
            self.root.append(torch.diag(p.sqrt()) - torch.outer(p, p.sqrt()))
            outs = [self.sent[name][-1] for name in self.sent]
            for r in self.root[-1].T:
                for name, g in zip(self.sent, torch.autograd.grad(f @ r, outs, retain_graph=True), strict=True):
                    self.sent[name].insert(-1, g.detach()[0].reshape(-1, g.shape[-1]))
            for name in self.sent:
                self.sent[name].pop()

    def keep(self, name):
        def hook(part, inputs, output):
            a = inputs[0].detach()[0].reshape(-1, part.in_features)
            self.read.setdefault(name, []).append(torch.cat([a, torch.ones(len(a), 1)], 1).double())
            self.sent.setdefault(name, []).append(output)

        return hook

    def flat(self, value, keep=False):
        found = torch.autograd.grad(value, self.free, retain_graph=True, create_graph=keep)
        return torch.cat([g.reshape(-1) for g in found])

    def sides(self):
        """g_i (N, p) and q_j (m, p) of the losses."""
        p = [torch.eye(3).double()[Y[i]] for i in range(24)]
        f = [self.module(*(value[i : i + 1] for value in X.values()))["logits"][0].detach() for i in range(24)]
        rows = torch.stack([(f[i].softmax(0) - p[i]) @ self.rows[i] for i in range(24)])
        return rows[:N], rows[N:]

    def gauss_newton(self):
        return sum(j.T @ r @ r.T @ j for j, r in zip(self.rows[:N], self.root[:N], strict=True)) / N

    def hessian(self):
        f = self.module(*TRAIN.values())["logits"]
        return torch.stack([self.flat(each) for each in self.flat(CE(f, torch.as_tensor(Y[:N])), keep=True)])

    def kronecker(self, corrected, diagonal=False):
        """Block-diagonal A: Kronecker products for linear layers, one block (or a diagonal) for everything else."""
        whole, place, offset = self.gauss_newton(), {}, 0
        for name, value in self.module.named_parameters():
            place[name] = offset + torch.arange(value.numel()).view(value.shape)
            offset += value.numel()
        a, rest = torch.zeros_like(whole), torch.ones(offset, dtype=torch.bool)
        for name in self.read:
            rows = torch.cat([place[f"{name}.weight"], place[f"{name}.bias"][:, None]], 1).flatten()
            rest[rows] = False
            read, sent = torch.cat(self.read[name][:N]), torch.cat(self.sent[name][: 3 * N])
            left, right = sent.T @ sent / len(read), read.T @ read / N
            block = torch.kron(left, right)
            if corrected:
                basis = torch.kron(torch.linalg.eigh(left)[1], torch.linalg.eigh(right)[1])
                block = basis @ torch.diag(torch.diag(basis.T @ whole[rows][:, rows] @ basis)) @ basis.T
            a[rows[:, None], rows] = block
        rows = torch.nonzero(rest)[:, 0]
        block = whole[rows][:, rows]
        a[rows[:, None], rows] = torch.diag(torch.diag(block)) if diagonal else block
        return a

    def scores(self, matrix, damping=DAMPING):
        g, q = self.sides()
        return (g @ torch.linalg.solve(matrix + damping * torch.eye(len(matrix)).double(), q.T) / N).numpy()


@pytest.fixture(scope="module")
def plain():
    return Plain()


@pytest.mark.parametrize("solver", ["eigh", "cg"])
def test_first_order_scores_of_a_transformer(plain, solver):
    assert error(asked(solver=solver).scores(), plain.scores(plain.gauss_newton())) < 1e-9
    exact = asked(solver=solver, curvature="exact", damping=1.0)  # away from a minimum less would be indefinite
    assert error(exact.scores(), plain.scores(plain.hessian(), 1.0)) < 1e-9


@pytest.mark.parametrize("solver", ["kfac", "ekfac"])
def test_kronecker_factors_of_a_transformer(plain, solver, monkeypatch):
    found = asked(solver=solver)
    assert error(found.scores(), plain.scores(plain.kronecker(solver == "ekfac"))) < 1e-9
    assert "factor 7 layers" in found.trust(0).line
    dense = plain.scores(plain.gauss_newton())
    assert np.corrcoef(found.scores().ravel(), dense.ravel())[0, 1] > 0.8
    monkeypatch.setattr(network, "MOST_OUTSIDE", 10)
    assert error(asked(solver=solver).scores(), plain.scores(plain.kronecker(solver == "ekfac", diagonal=True))) < 1e-9


def test_a_dictionary_by_name_or_whole_with_any_order_and_kind_of_arrays():
    expected = asked().scores()
    assert error(asked(Whole).scores(), expected) < 1e-12
    turned = [dict(reversed([(k, v.numpy()) for k, v in part.items()])) for part in (TRAIN, TEST)]
    turned[0]["attention_mask"] = turned[0]["attention_mask"].astype(bool)
    assert error(asked(train=turned[0], test=turned[1]).scores(), expected) < 1e-12


@pytest.mark.parametrize("solver", ["cg", "ekfac"])
def test_token_ids_alone_and_torchs_own_layer(solver):
    found = asked(ByTorch, IDS[:N], IDS[N:], solver)
    dense = asked(ByTorch, IDS[:N], IDS[N:]).scores()
    assert found.problem.fitted.model.whole
    if solver == "cg":
        assert error(found.scores(), dense) < 1e-6
    else:
        assert "factor 3 layers" in found.trust(0).line
        assert np.corrcoef(found.scores().ravel(), dense.ravel())[0, 1] > 0.8


def test_a_transformer_is_trained_without_a_text():
    model = wrap(made(Tiny), CE, fit="adamw", epochs=2, learning_rate=0.01)
    analysis = model.analyse(TRAIN, Y[:N], TEST, Y[N:], damping=DAMPING)
    found = analysis.problem.group_refit([0, 3]).change
    assert np.isfinite(found).all()
    assert np.abs(found).max() > 0


def changed(**parts):
    return {**TEST, **parts}


REFUSED = {
    "ids beyond the embedding": (Tiny, TRAIN, changed(input_ids=TEST["input_ids"] + 11), "rows of its embedding"),
    "negative ids": (Tiny, TRAIN, changed(input_ids=TEST["input_ids"] - 1), "ids from 0"),
    "other length": (Tiny, TRAIN, {name: value[:, :4] for name, value in TEST.items()}, "same tensors as in training"),
    "another key": (Tiny, TRAIN, {"input_ids": TEST["input_ids"]}, "same tensors as in training"),
    "dictionary in training alone": (Tiny, TRAIN, TEST["input_ids"], "in training and in test"),
    "rows of several lengths": (ByTorch, [[1, 2], [3]], [[1, 2]], "pad token ids"),
    "and in a dictionary": (Tiny, {"input_ids": [[1, 2], [3]]}, {"input_ids": [[1, 2]]}, "pad them, and mask"),
    "numbers of examples": (Tiny, {**TRAIN, "attention_mask": MASK[:3]}, TEST, "tensors of the same examples"),
    "texts": (Tiny, {"input_ids": np.array([["a"] * 5] * N)}, TEST, "tensor of numbers"),
    "no such argument": (
        Tiny,
        {"ids": TRAIN["input_ids"]},
        {"ids": TEST["input_ids"]},
        r"examples of shape ids \(5,\)",
    ),
    "nothing": (Tiny, {}, {}, "an empty dictionary"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_cannot_be_is_a_sentence(name):
    make, train, test, said = REFUSED[name]
    with pytest.raises(SettingsError, match=said):
        asked(make, train, test)


def test_a_function_takes_no_dictionary_and_float32_no_enormous_ids():
    with pytest.raises(SettingsError, match="with a module alone"):
        wrap(lambda theta, x, _y: theta @ x, np.zeros(5)).analyse(TRAIN, Y[:N], TEST, Y[N:])
    ids = IDS.copy()
    ids[-1] = 2**24 + 1
    with pytest.raises(SettingsError, match="below 16,777,216"):
        wrap(ByTorch(), CE).analyse(IDS[:N], Y[:N], ids[N:], Y[N:])
