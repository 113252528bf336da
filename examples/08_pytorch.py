# The other half of 08_pytorch.lua: a safetensors file is an 8-byte length, a JSON header
# and the numbers, so that it takes no package to read or write one.
import json
import struct
import sys

import numpy as np
import torch


def read(path):
    with open(path, "rb") as file:
        (length,) = struct.unpack("<Q", file.read(8))
        header, data = json.loads(file.read(length)), file.read()
    metadata = header.pop("__metadata__", {})
    tensors = {}
    for name, entry in header.items():
        first, last = entry["data_offsets"]
        array = np.frombuffer(data[first:last], {"F32": "<f4", "F16": "<f2"}[entry["dtype"]])
        tensors[name] = torch.from_numpy(array.astype("f4").reshape(entry["shape"]))
    return tensors, metadata


def write(path, tensors):
    header, parts, at = {}, [], 0
    for name, tensor in tensors.items():
        data = tensor.detach().numpy().astype("<f4").tobytes()
        header[name] = {"dtype": "F32", "shape": list(tensor.shape), "data_offsets": [at, at + len(data)]}
        parts.append(data)
        at += len(data)
    text = json.dumps(header).encode()
    with open(path, "wb") as file:
        file.write(struct.pack("<Q", len(text)) + text + b"".join(parts))


folder = sys.argv[1]
weights, metadata = read(folder + "/network.safetensors")
case, _ = read(folder + "/case.safetensors")

# The graph is in the metadata, one operator after another: here linear, gelu, linear.
print("the file says:", " -> ".join(
    node["operator"] for node in json.loads(metadata["graph"])["nodes"] if node["inputs"]))
net = torch.nn.Sequential(torch.nn.Linear(10, 32), torch.nn.GELU(), torch.nn.Linear(32, 3))
net.load_state_dict({  # ours are (in, out)
    "0.weight": weights["hidden.weight"].t(), "0.bias": weights["hidden.bias"],
    "2.weight": weights["out.weight"].t(), "2.bias": weights["out.bias"],
})
apart = (net(case["x"]) - case["y"]).abs().max().item()
print("rebuilt in PyTorch: answers differ by %.1e at most" % apart)
assert apart < 1e-5

with torch.no_grad():
    net[2].weight[0] *= 2
write(folder + "/torch.safetensors", net.state_dict())
write(folder + "/answers.safetensors", {"y": net(case["x"])})
