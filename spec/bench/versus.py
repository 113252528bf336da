# Speed compared with PyTorch, scikit-learn and SciPy: make bench-torch, or
#   python3 spec/bench/versus.py [--quick] [--only TASK]...
# One process of ours and one of PyTorch's for each number of threads take turns on every
# task. Printed is the median over the rounds of their time over ours in the same round,
# where theirs is the best of all that they did in it, and the least and largest; which
# of theirs is best over all rounds is named.
import os
import subprocess
import sys
import time

WORK = ".build/bench"
# name, what it is, calls counted as (rows a call, unit)
TASKS = [
    ("train_mlp_64", "train MLP, batch 64", 64),
    ("train_mlp_256", "train MLP, batch 256", 256),
    ("train_conv6xl_16", "train Conv6XL, batch 16", 16),
    ("train_conv6xl_64", "train Conv6XL, batch 64", 64),
    ("train_conve2e_16", "train ConvE2E, batch 16", 16),
    ("infer_mlp_1", "infer MLP, batch 1", 1),
    ("infer_mlp_64", "infer MLP, batch 64", 64),
    ("infer_conv6xl_1", "infer Conv6XL, batch 1", 1),
    ("infer_conv6xl_64", "infer Conv6XL, batch 64", 64),
    ("infer_conve2e_1", "infer ConvE2E, batch 1", 1),
    ("infer_conve2e_64", "infer ConvE2E, batch 64", 64),
    ("stft_16384_512", "STFT, 1,000 clips at 16,384 Hz", 1000),
    ("logmel_16384_512", "log-mel, 1,000 clips at 16,384 Hz", 1000),
    ("stft_44100_2048", "STFT, 1,000 clips at 44,100 Hz", 1000),
    ("logmel_44100_2048", "log-mel, 1,000 clips at 44,100 Hz", 1000),
    ("pca_200", "PCA(200) of 5,600 x 8,192", 5600),
]
PEERS = {"stft": ("torch", "scipy"), "logmel": ("torch", "scipy"), "pca": ("sklearn",)}


class Worker:
    """A process that answers a line with a line."""

    def __init__(self, command, **variables):
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
                                        env={**os.environ, **variables})

    def ask(self, line):
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()
        answer = self.process.stdout.readline()
        if not answer:
            sys.exit("a worker ended: %s" % line)
        return [float(word) for word in answer.split()]


def median(values):
    return sorted(values)[len(values) // 2]


def run(task, ours, workers, rounds, seconds):
    """Times by round, ours and their best; who is best of them; our figure and theirs."""
    peers = PEERS.get(task.split("_")[0], ("torch",))
    sides = {("ours", 0): (ours, task)}
    for threads, worker in workers.items():
        for peer in peers:
            sides[(peer, threads)] = (worker, "%s %s" % (peer, task))
    times, figures = {side: [] for side in sides}, {}
    for turn in range(rounds + 1):
        for side, (worker, line) in sides.items():
            # the first turn is short: everybody prepares and warms up
            took, figure = worker.ask("%s %g" % (line, seconds if turn > 0 else 0.01))
            if turn > 0:
                times[side].append(took)
            figures[side] = figure
            time.sleep(0.02)  # lets waiting threads of the other side go to sleep
    own = times.pop(("ours", 0))
    best = min(times, key=lambda side: median(times[side]))
    theirs = [min(turn) for turn in zip(*times.values())]
    return own, theirs, best, figures[("ours", 0)], figures[best]


def compare(quick, only):
    os.makedirs(WORK, exist_ok=True)
    ours = Worker([os.environ.get("LUA", "lua5.4"), "spec/bench/versus.lua", WORK])
    theirs = {threads: Worker([sys.executable, __file__, "worker", str(threads)],
                              OMP_NUM_THREADS=str(threads), OPENBLAS_NUM_THREADS=str(threads))
              for threads in (1, 2)}
    print("%-36s %12s %12s  %-14s %s" % ("", "ours", "theirs", "at best", "ratio (least .. largest)"))
    for task, text, rows in TASKS:
        if only and not any(part in task for part in only):
            continue
        slow = task.startswith(("pca", "stft", "logmel"))
        rounds, seconds = (3, 0.3) if quick else (3 if task.startswith("pca") else 5, 0.2 if slow else 1.0)
        own, other, (peer, threads), figure, their_figure = run(task, ours, theirs, rounds, seconds)
        ratios = sorted(b / a for a, b in zip(own, other))
        if task.startswith("infer") and rows == 1:
            speed = ["%.3f ms" % (1e3 * median(times)) for times in (own, other)]
        elif task.startswith("pca"):
            speed = ["%.2f s" % median(times) for times in (own, other)]
        else:
            speed = ["%.0f /s" % (rows / median(times)) for times in (own, other)]
        print("%-36s %12s %12s  %-14s %.2f (%.2f .. %.2f)" % (
            text, *speed, "%s, %d thr." % (peer, threads), median(ratios), ratios[0], ratios[-1]), flush=True)
        if task.startswith("pca"):
            exact = None if quick else theirs[2].ask("exact %s 0" % task)[1]
            os.remove(os.path.join(WORK, "spectrograms.npy"))
            print("  of the variance: ours %.5f, scikit-learn %.5f%s" % (
                figure, their_figure, "" if quick else
                "; of what exact axes explain %.5f and %.5f" % (figure / exact, their_figure / exact)))


# What follows runs in the processes of the other side.

def torch_networks(threads):
    import torch
    import twins

    torch.set_num_threads(threads)
    torch.set_flush_denormal(True)
    torch.manual_seed(1)
    kinds = {"mlp": (twins.Mlp, (200,), 64), "conv6xl": (lambda: twins.Inversynth(False), (64, 257), 368),
             "conve2e": (lambda: twins.Inversynth(True), (16384,), 368)}
    made = {}

    def make(task):
        what, name, batch = task.split("_")
        if name not in made:
            made[name] = kinds[name][0]()
        net, (_, shape, outputs) = made[name], kinds[name]
        inputs = {"x": torch.randn(int(batch), *shape)}
        if what == "infer":
            def infer():
                net.eval()
                with torch.inference_mode():
                    net(inputs)
            return infer
        inputs["target"] = torch.rand(int(batch), outputs)
        optimizer = torch.optim.Adam(net.parameters())

        def step():
            optimizer.zero_grad(set_to_none=True)
            net(inputs)["loss"].backward()
            optimizer.step()
        return step
    return make


def mel_bank(rate, size, bands):
    import numpy as np

    def mel(hz):
        return 2595 * np.log10(1 + hz / 700)
    edges = 700 * (10 ** (np.linspace(mel(20), mel(rate / 2), bands + 2) / 2595) - 1)
    bins = np.arange(size // 2 + 1) * rate / size
    rise = (bins - edges[:-2, None]) / (edges[1:-1] - edges[:-2])[:, None]
    fall = (edges[2:, None] - bins) / (edges[2:] - edges[1:-1])[:, None]
    return np.maximum(0, np.minimum(rise, fall)).astype("f4")


def spectra(peer, task):
    """Power spectrograms or log-mel ones of 1,000 clips, in batches of 50."""
    import numpy as np
    import scipy.signal
    import torch

    what, rate, size = task.split("_")
    rate, size = int(rate), int(size)
    clips = np.random.default_rng(1).standard_normal((50, rate), "f4")
    bank = mel_bank(rate, size, 64) if what == "logmel" else None
    if peer == "torch":
        clips, window = torch.from_numpy(clips), torch.hann_window(size)
        bank = None if bank is None else torch.from_numpy(bank)

        def one():
            power = torch.stft(clips, size, size // 4, window=window, return_complex=True).abs() ** 2
            if bank is not None:
                torch.log10((bank @ power).clamp_(min=1e-10)).mul_(10)
    else:
        def one():
            _, _, values = scipy.signal.stft(clips, rate, "hann", size, size - size // 4)
            power = values.real ** 2 + values.imag ** 2
            if bank is not None:
                10 * np.log10(np.maximum(bank @ power, 1e-10))

    def all_clips():
        for _ in range(20):
            one()
    return all_clips


def components(peer, task):
    import numpy as np
    from sklearn.decomposition import PCA

    x = np.load(os.path.join(WORK, "spectrograms.npy"))
    count = int(task.split("_")[1])

    def fit():
        return PCA(count, svd_solver="randomized", random_state=1).fit(x).explained_variance_ratio_.sum()

    def exact():
        import scipy.linalg
        centred = x - x.mean(0)
        gram = (centred @ centred.T).astype("f8")
        rows = len(gram)
        return scipy.linalg.eigvalsh(gram, subset_by_index=(rows - count, rows - 1)).sum() / np.trace(gram)
    return exact if peer == "exact" else fit


def work(threads):
    import numpy as np
    for kind in (np.float32, np.float64):
        str(np.finfo(kind))  # looks at denormals, and warns once they are flushed
    networks, tasks = None, {}
    for line in sys.stdin:
        peer, task, seconds = line.split()
        if (peer, task) not in tasks:
            kind = task.split("_")[0]
            if kind in ("train", "infer"):
                networks = networks or torch_networks(threads)
                tasks[peer, task] = networks(task)
            else:
                tasks[peer, task] = (components if kind == "pca" else spectra)(peer, task)
        times, began, figure = [], time.perf_counter(), 0
        while not times or time.perf_counter() - began < float(seconds):
            before = time.perf_counter()
            figure = tasks[peer, task]()
            times.append(time.perf_counter() - before)
        print("%.9g %.9g" % (median(times), figure or 0), flush=True)


def main():
    sys.dont_write_bytecode = True
    if sys.argv[1:2] == ["worker"]:
        return work(int(sys.argv[2]))
    only = [sys.argv[i + 1] for i, word in enumerate(sys.argv[:-1]) if word == "--only"]
    compare("--quick" in sys.argv, only)


main()
