# Compares outputs and gradients of our networks with PyTorch's:
#   python3 spec/bench/parity.py [--write FOLDER]
# With --write the small cases, with PyTorch's values, become files for specs.
import os
import subprocess
import sys

import numpy as np
import torch

sys.dont_write_bytecode = True
import twins

LIMIT = 1e-4
CASES = {
    "mlp": twins.Mlp,
    "conv6xl": lambda: twins.Inversynth(False, exact=True),
    "conve2e": lambda: twins.Inversynth(True, exact=True),
    "lstm": twins.LstmNet,
    "vae": twins.Vae,
    "conv": twins.ConvNet,
}
SMALL = ("lstm", "vae", "conv")


def difference(ours, theirs):
    """The largest, relative to the largest value."""
    return float(np.abs(ours.reshape(-1) - theirs.reshape(-1)).max() / max(np.abs(theirs).max(), 1e-30))


def compare(name, path, folder):
    tensors, metadata = twins.read_tensors(path)
    part = {kind: {key[len(kind) + 1:]: value for key, value in tensors.items() if key.startswith(kind + " ")}
            for kind in ("weight", "input", "output", "gradient")}
    twin = CASES[name]()
    count = sum(parameter.numel() for parameter in twin.parameters())
    twin.load(part["weight"])
    inputs = {key: torch.from_numpy(value) for key, value in part["input"].items()}
    with torch.no_grad():
        outputs = twin.eval()(inputs)
    loss = twin.train()(inputs)["loss"]
    loss.backward()
    gradients = twin.gradients()
    assert set(gradients) == set(part["gradient"]), "other parameters"
    worst = {"outputs": 0.0, "gradients": 0.0}
    for key, value in outputs.items():
        if key != "loss":
            worst["outputs"] = max(worst["outputs"], difference(part["output"][key], value.numpy()))
    scale = max(np.abs(value).max() for value in gradients.values())
    for key, value in gradients.items():
        # A gradient that is zero but for rounding, such as that of attention's key bias,
        # is compared with the others.
        size = max(np.abs(value).max(), 1e-3 * scale)
        worst["gradients"] = max(worst["gradients"], float(np.abs(part["gradient"][key] - value).max() / size))
    loss = loss.item()
    apart = abs(float(metadata["loss"]) - loss) / abs(loss)
    good = max(worst["outputs"], worst["gradients"], apart) <= LIMIT and count == int(metadata["parameters"])
    print("%-8s %9d parameters   outputs %.1e   gradients %.1e   loss %.1e   %s" % (
        name, count, worst["outputs"], worst["gradients"], apart, "ok" if good else "NOT THE SAME"))
    if folder and name in SMALL:
        golden = {key: value for key, value in tensors.items() if key.split(" ")[0] in ("weight", "input")}
        golden.update({"output " + key: value.numpy() for key, value in outputs.items() if key != "loss"})
        golden.update({"gradient " + key: value for key, value in gradients.items()})
        twins.write_tensors(os.path.join(folder, "torch_%s.safetensors" % name), golden,
                            {"loss": "%.9g" % loss, "torch": torch.__version__})
    return good


def write_optimizers(path):
    """What optimisers make of the same gradients, step by step."""
    generator = torch.Generator().manual_seed(1)
    start = torch.randn(8, generator=generator)
    gradients = torch.randn(7, 8, generator=generator)
    methods = {
        "sgd": lambda p: torch.optim.SGD(p, 0.05, momentum=0.9, weight_decay=0.1),
        "adam": lambda p: torch.optim.Adam(p, 0.05, weight_decay=0.1),
        "adamw": lambda p: torch.optim.AdamW(p, 0.05, weight_decay=0.1),
        "clip": lambda p: torch.optim.SGD(p, 0.05),
    }
    tensors = {"start": start.numpy(), "gradients": gradients.numpy()}
    for name, make in methods.items():
        values = torch.nn.Parameter(start.clone())
        optimizer, steps = make([values]), []
        for gradient in gradients:
            values.grad = gradient.clone()
            if name == "clip":
                torch.nn.utils.clip_grad_norm_([values], 1.5)
            optimizer.step()
            steps.append(values.detach().clone().numpy())
        tensors[name] = np.stack(steps)
    twins.write_tensors(path, tensors, {"torch": torch.__version__})


def main():
    folder = sys.argv[2] if sys.argv[1:2] == ["--write"] else None
    work = ".build/parity"
    os.makedirs(work, exist_ok=True)
    lua = os.environ.get("LUA", "lua5.4")
    subprocess.run([lua, "spec/bench/parity.lua", work] + (["--small"] if folder else []), check=True)
    if folder:
        os.makedirs(folder, exist_ok=True)
    if folder:
        write_optimizers(os.path.join(folder, "torch_optimizers.safetensors"))
    results = [compare(name, os.path.join(work, name + ".safetensors"), folder)
               for name in CASES if not folder or name in SMALL]
    sys.exit(0 if all(results) else 1)


main()
