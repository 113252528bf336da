# Networks of ours as PyTorch writes them, for comparisons of speed and of values; and
# safetensors files read and written without the safetensors package.
import json
import struct

import numpy as np
import torch
from torch import nn
import torch.nn.functional as F

DTYPES = {"F32": "<f4", "F16": "<f2", "U8": "|u1", "I16": "<i2", "I32": "<i4"}


def read_tensors(path):
    """The tensors of a safetensors file as NumPy arrays by name, and its metadata."""
    with open(path, "rb") as file:
        (length,) = struct.unpack("<Q", file.read(8))
        header, data = json.loads(file.read(length)), file.read()
    metadata = header.pop("__metadata__", {})
    tensors = {}
    for name, entry in header.items():
        first, last = entry["data_offsets"]
        array = np.frombuffer(data[first:last], DTYPES[entry["dtype"]])
        tensors[name] = array.reshape(entry["shape"]).copy()
    return tensors, metadata


def write_tensors(path, tensors, metadata=None):
    """Writes arrays (f4, f2, u1, i2 or i4) by name; larger elements first."""
    kinds = {np.dtype(text): kind for kind, text in DTYPES.items()}
    header, parts, at = {"__metadata__": metadata or {}}, [], 0
    for name in sorted(tensors, key=lambda name: (-tensors[name].itemsize, name)):
        data = np.ascontiguousarray(tensors[name]).tobytes()
        header[name] = {
            "dtype": kinds[tensors[name].dtype],
            "shape": list(tensors[name].shape),
            "data_offsets": [at, at + len(data)],
        }
        parts.append(data)
        at += len(data)
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    with open(path, "wb") as file:
        file.write(struct.pack("<Q", len(text)) + text + b"".join(parts))


class Same(nn.Module):
    """Convolution and relu with TensorFlow's padding "same". With exact, an odd row or
    column of zeros is on the right and below, as there; otherwise on both sides, which
    gives the same sizes and is what PyTorch does fastest."""

    def __init__(self, sizes, channels, filters, kernel, stride, exact):
        super().__init__()
        total = [max((-(-n // s) - 1) * s + k - n, 0) for n, k, s in zip(sizes, kernel, stride)]
        before = [t // 2 for t in total]
        after = [t - b for t, b in zip(total, before)]
        self.pad, inside = None, before
        if before != after:
            if exact or any(t % 2 and s < 2 for t, s in zip(total, stride)):
                self.pad, inside = (before[1], after[1], before[0], after[0]), (0, 0)
            else:
                inside = after
        self.sizes = [-(-n // s) for n, s in zip(sizes, stride)]
        self.conv = nn.Conv2d(channels, filters, kernel, stride, tuple(inside))

    def forward(self, x):
        if self.pad is not None:
            x = F.pad(x, self.pad)
        return F.relu(self.conv(x))


CONV6 = [(32, 3, 3, 2, 2), (71, 3, 3, 2, 2), (128, 3, 4, 2, 3),
         (128, 3, 3, 2, 2), (128, 3, 3, 2, 2), (128, 3, 3, 1, 2)]
CONV6_XL = [(64, 3, 3, 2, 2), (128, 3, 3, 2, 2), (128, 3, 4, 2, 3),
            (128, 3, 3, 2, 2), (256, 3, 3, 2, 2), (256, 3, 3, 1, 2)]
RAW = [(96, 1, 64, 1, 4), (96, 1, 32, 1, 4), (128, 1, 16, 1, 4), (257, 1, 8, 1, 4)]
MATRIX, IMAGE = (1, 0), (2, 3, 1, 0)  # our axes of PyTorch's (out, in), (out, in, h, w)


def linear(table, name, layer):
    table[name + ".weight"] = (layer.weight, MATRIX)
    table[name + ".bias"] = (layer.bias, None)
    return layer


class Twin(nn.Module):
    """leaves: our name -> (parameter, how its axes become ours, or None)."""

    def __init__(self):
        super().__init__()
        self.leaves = {}

    def load(self, tensors):
        for name, (parameter, axes) in self.leaves.items():
            array = tensors[name].astype(np.float32)
            if axes is not None:
                array = np.transpose(array, np.argsort(axes))
            parameter.data.copy_(torch.from_numpy(np.ascontiguousarray(array)).reshape(parameter.shape))

    def gradients(self):
        found = {}
        for name, (parameter, axes) in self.leaves.items():
            array = parameter.grad.numpy()
            found[name] = np.ascontiguousarray(array if axes is None else np.transpose(array, axes))
        return found


class Mlp(Twin):
    """200-512-512-512-64, mean squared error."""

    def __init__(self):
        super().__init__()
        sizes, layers = [200, 512, 512, 512, 64], []
        for i in range(4):
            layers.append(linear(self.leaves, "dense_%d" % (i + 1), nn.Linear(sizes[i], sizes[i + 1])))
            layers.append(nn.ReLU())
        self.net = nn.Sequential(*layers[:-1])

    def forward(self, inputs):
        out = self.net(inputs["x"])
        target = inputs.get("target")
        return {"out": out, "loss": None if target is None else F.mse_loss(out, target)}


class Inversynth(Twin):
    """Conv6XL on spectrograms (batch, 64, 257), or ConvE2E on samples (batch, 16384)."""

    def __init__(self, raw, exact=False):
        super().__init__()
        self.raw, self.number = raw, 0
        if raw:
            self.first, _, _ = self.stack([1, 16384], RAW, exact)
            self.second, sizes, channels = self.stack([64, 257], CONV6, exact)
        else:
            self.second, sizes, channels = self.stack([64, 257], CONV6_XL, exact)
        count = sizes[0] * sizes[1] * channels
        self.wide = linear(self.leaves, "dense_1", nn.Linear(count, 512))
        self.last = linear(self.leaves, "dense_2", nn.Linear(512, 368))

    def stack(self, sizes, rows, exact):
        layers, channels = [], 1
        for filters, high, wide, down, across in rows:
            layer = Same(sizes, channels, filters, (high, wide), (down, across), exact)
            self.number += 1
            self.leaves["conv_%d.weight" % self.number] = (layer.conv.weight, IMAGE)
            self.leaves["conv_%d.bias" % self.number] = (layer.conv.bias, None)
            layers.append(layer)
            sizes, channels = layer.sizes, filters
        return nn.Sequential(*layers), sizes, channels

    def forward(self, inputs):
        x = inputs["x"]
        if self.raw:
            # (batch, 257, 1, 64) channels by steps become an image of 64 by 257
            x = self.first(x[:, None, None, :])[:, :, 0, :].transpose(1, 2)
        y = self.second(x[:, None])
        y = y.permute(0, 2, 3, 1).flatten(1)  # channels last, as ours are
        logits = self.last(F.relu(self.wide(y)))
        target = inputs.get("target")
        loss = None if target is None else F.binary_cross_entropy_with_logits(logits, target)
        return {"logits": logits, "loss": loss}


class LstmNet(Twin):
    """lstm_net of spec/networks.lua."""

    def __init__(self):
        super().__init__()
        self.lstm = self.recurrent("lstm", nn.LSTM(6, 8, 2, batch_first=True, bidirectional=True))
        self.norm = nn.LayerNorm(16)
        self.leaves["norm.weight"], self.leaves["norm.bias"] = (self.norm.weight, None), (self.norm.bias, None)
        self.head = self.recurrent("head", nn.LSTM(16, 8, batch_first=True))
        self.out = linear(self.leaves, "out", nn.Linear(24, 5))

    def recurrent(self, name, layer):
        for part, parameter in layer.named_parameters():
            self.leaves["%s.%s" % (name, part)] = (parameter, MATRIX if parameter.dim() == 2 else None)
        return layer

    def forward(self, inputs):
        states, _ = self.lstm(inputs["x"])
        _, (last, _) = self.head(states)
        pooled = self.norm(states.mean(1))
        logits = self.out(torch.cat([pooled, last[0]], 1))
        return {"states": states, "logits": logits, "loss": F.cross_entropy(logits, inputs["target"][:, 0].long())}


class Block(nn.Module):
    """Attention and a small network, each added to what it gets and normalised after."""

    def __init__(self, leaves, name):
        super().__init__()
        self.attention = nn.MultiheadAttention(16, 4, batch_first=True)
        leaves[name + ".attention.in_proj_weight"] = (self.attention.in_proj_weight, MATRIX)
        leaves[name + ".attention.in_proj_bias"] = (self.attention.in_proj_bias, None)
        linear(leaves, name + ".attention.out_proj", self.attention.out_proj)
        self.wide = linear(leaves, name + ".wide", nn.Linear(16, 32))
        self.narrow = linear(leaves, name + ".narrow", nn.Linear(32, 16))
        self.norm1, self.norm2 = nn.LayerNorm(16), nn.LayerNorm(16)
        for place, norm in (("1", self.norm1), ("2", self.norm2)):
            leaves["%s.norm%s.weight" % (name, place)] = (norm.weight, None)
            leaves["%s.norm%s.bias" % (name, place)] = (norm.bias, None)

    def forward(self, x):
        x = self.norm1(x + self.attention(x, x, x, need_weights=False)[0])
        return self.norm2(x + self.narrow(F.gelu(self.wide(x))))


class Vae(Twin):
    """vae of spec/networks.lua: the flows as matrices, as the paper writes them."""

    def __init__(self):
        super().__init__()
        self.embedding = nn.Embedding(7, 16)
        self.leaves["embedding.weight"] = (self.embedding.weight, None)
        self.places = nn.Parameter(torch.zeros(6, 16))
        self.leaves["places"] = (self.places, None)
        self.encoder, self.decoder = Block(self.leaves, "encoder"), Block(self.leaves, "decoder")
        self.mean = linear(self.leaves, "mean", nn.Linear(16, 4))
        self.spread = linear(self.leaves, "spread", nn.Linear(16, 4))
        self.flow = linear(self.leaves, "flow", nn.Linear(16, 3 * 28))
        self.film = linear(self.leaves, "film", nn.Linear(4, 32))
        self.out = linear(self.leaves, "out", nn.Linear(16, 7))

    def flows(self, z, numbers):
        change = 0
        for k in range(3):
            part = numbers[:, 28 * k:28 * k + 28]
            square = part[:, :16].reshape(-1, 4, 4)
            first, second, shift = torch.tanh(part[:, 16:20]), torch.tanh(part[:, 20:24]), part[:, 24:28]
            r1 = torch.triu(square, 1) + torch.diag_embed(first)
            r2 = torch.triu(square.transpose(1, 2), 1) + torch.diag_embed(second)
            q = torch.eye(4).flip(0) if k % 2 else torch.eye(4)
            h = torch.tanh((r2 @ (q.t() @ z[:, :, None]))[:, :, 0] + shift)
            z = z + (q @ (r1 @ h[:, :, None]))[:, :, 0]
            change = change + torch.log(1 + (1 - h * h) * first * second + 1e-8).sum(1)
        return z, change

    def forward(self, inputs):
        classes, noise = inputs["x"].long(), inputs["noise"]
        h = self.encoder(self.embedding(classes) + self.places).mean(1)
        deviation = torch.clamp(self.spread(h) * 0.5, -5, 4)
        z, change = self.flows(self.mean(h) + torch.exp(deviation) * noise, self.flow(h))
        scale, shift = self.film(z).split(16, 1)
        y = torch.sigmoid(scale)[:, None] * self.places + torch.tanh(shift)[:, None]
        logits = self.out(self.decoder(y))
        rebuilt = F.cross_entropy(logits.reshape(-1, 7), classes.reshape(-1))
        divergence = ((z * z - noise * noise) * 0.5 - deviation).sum(1) - change
        loss = rebuilt + 0.1 * divergence.mean()
        return {"z": z, "change": change, "logits": logits.flatten(1), "loss": loss}


class ConvNet(Twin):
    """conv_net of spec/networks.lua. There, a window that does not fit symmetrically has
    its odd row or column of zeros on the right and below."""

    def __init__(self):
        super().__init__()
        self.down, self.inside = nn.Conv2d(2, 5, (3, 4), 2), nn.Conv2d(3, 4, 3)
        self.norm, self.up = nn.BatchNorm2d(5), nn.ConvTranspose2d(5, 3, 4, 2, 1)
        for name, layer, axes in (("down", self.down, IMAGE), ("norm", self.norm, None),
                                  ("up", self.up, (2, 3, 0, 1)), ("inside", self.inside, IMAGE)):
            self.leaves[name + ".weight"] = (layer.weight, axes)
            self.leaves[name + ".bias"] = (layer.bias, None)
        self.out = linear(self.leaves, "out", nn.Linear(24, 4))

    def forward(self, inputs):
        x = inputs["x"].permute(0, 3, 1, 2)
        y = F.relu(self.down(F.pad(x, (1, 1, 1, 1))))
        large = torch.tanh(self.up(self.norm(y)))
        y = F.max_pool2d(F.elu(self.inside(large)), 2)
        y = F.avg_pool2d(y, (1, 2))
        out = self.out(y.permute(0, 2, 3, 1).flatten(1))
        return {"large": large.permute(0, 2, 3, 1), "out": out, "loss": F.smooth_l1_loss(out, inputs["target"])}
