"""A notebook as a student's run leaves it, built here so that its outputs stay readable."""

import base64
import io

import matplotlib as mpl
import nbformat
import numpy as np
from matplotlib.figure import Figure
from nbformat.v4 import new_code_cell, new_markdown_cell, new_notebook, new_output

PARAMETERS = """# Parameters of DCGAN
author: str = ""  # name on the report
student_id: str = ""  # number on the report
course: str = "Generative models"  # course on the report
date: str = ""  # date on the report
epochs: int = 30  # passes over the training images
batch_size: int = 128  # images in each step
learning_rate: float = 2e-4  # Adam's learning rate of both networks
beta1: float = 0.5  # Adam's first moment
latent_size: int = 100  # numbers in each latent vector
prior: str = "normal"  # distribution of the latent vectors: normal, uniform or laplace
classes: list = []  # CIFAR-10 classes to learn, all if empty
label_smoothing: float = 0.0  # real labels are 1 minus this
width: int = 64  # channels of the first layer
device: str = "auto"  # auto, cpu or cuda
precision: str = "auto"  # auto, float32 or bfloat16
seed: int = 1  # start of all random numbers
data: str = "data/cifar-10-batches-py"  # folder with CIFAR-10, the files of its python version
run: str = ""  # folder of the run, below runs/ if empty; it is created once and resumed with equal parameters
"""
INJECTED = """# Parameters
author = "Ada Example"
student_id = "s1234567"
epochs = 10
classes = ["cat", "dog", "horse"]
run = "runs/dcgan-with-a-name-that-is-much-longer-than-any-column-of-the-table_seed1_epochs10"
"""
THEORY = r"""## 1. Theory

A generative adversarial network is a game of two networks. The generator $G$ maps a latent vector
$z \sim \mathcal{N}(0, I)$ to an image, and the discriminator $D$ tells real images from generated ones
[Goodfellow et al., 2014](https://arxiv.org/abs/1406.2661). They play the minimax game

$$\min_G \max_D V(D, G) = \mathbb{E}_{x\sim p_{\text{data}}}\big[\log D(x)\big]
  + \mathbb{E}_{z\sim p_z}\left[\log\left(1 - D(G(z))\right)\right].$$

With a fixed generator the best discriminator is $D^*(x) = \frac{p_{data}(x)}{p_{data}(x) + p_g(x)}$, and the
losses of *this* notebook, which do **not** saturate, are

\begin{align}
\mathcal{L}_D &= -\mathbb{E}_{x}\big[\log D(x)\big] - \mathbb{E}_{z}\big[\log(1 - D(G(z)))\big] \\
\mathcal{L}_G &= -\mathbb{E}_{z}\big[\log D(G(z))\big]
\end{align}

A formula that nobody can typeset stays readable: $\unknowncommand{x}$.

### 1.1 Layers

| Layer | Output | Parameters |
|:------|-------:|-----------:|
| Transposed convolution, stride 1, `ConvTranspose2d(100, 256, 4)` | 256 x 4 x 4 | 409,600 |
| Transposed convolution, stride 2 | 128 x 8 x 8 | 524,288 |
| Transposed convolution, stride 2, tanh | 3 x 32 x 32 | 6,144 |

1. Real images go through $D$;
2. generated images go through $D$:
   - without gradients for $G$,
   - and then with them.

> The generator never sees a real image.[^why]

[^why]: It learns from the gradient of $D$ only.
"""
AFTER = (
    "The losses approach an equilibrium within the first epochs. Neither network wins: the discriminator's "
    "loss stays well above zero, and the generator's does not grow without bound. A discriminator whose loss "
    "falls to zero no longer gives a useful gradient, which is the usual way in which a short run fails.\n\n"
    "The samples come from the same latent vectors after each epoch, so a column shows one image's story."
)


def bundle(figure, *kinds):
    data = {"text/plain": "<Figure size 640x480 with 1 Axes>"}
    for kind in kinds:
        written = io.BytesIO()
        figure.savefig(written, format=kind, dpi=220, metadata={"Date": None} if kind == "svg" else {})
        raw = written.getvalue()
        if kind == "svg":
            data["image/svg+xml"] = raw.decode()
        else:
            data["image/png"] = base64.b64encode(raw).decode()
    return data


def shown(data, **about):
    return new_output("display_data", data=data, metadata={"ganutils": about} if about else {})


def losses():
    steps = np.arange(400)
    random = np.random.default_rng(0)
    with mpl.rc_context({"svg.hashsalt": "fixed", "font.size": 9}):
        figure = Figure(figsize=(6.4, 2.8), layout="constrained")
        axis = figure.subplots()
        for name, level in (("discriminator", 0.9), ("generator", 1.6)):
            axis.plot(steps, level + np.exp(-steps / 60) + 0.05 * random.standard_normal(400), label=name)
        axis.set(xlabel="update", ylabel="loss")
        axis.legend()
        return bundle(figure, "png", "svg")


def grid(seed, size=(6.4, 3.4), shape=(6, 12)):
    random = np.random.default_rng(seed)
    coarse = random.integers(0, 255, (shape[0] * 4, shape[1] * 4, 3), dtype=np.uint8)
    figure = Figure(figsize=size, layout="constrained")
    axis = figure.subplots()
    axis.imshow(np.kron(coarse, np.ones((8, 8, 1), dtype=np.uint8)), interpolation="nearest")
    axis.axis("off")
    return bundle(figure, "png")


def markdown_output(text, **about):
    return new_output(
        "display_data", data={"text/markdown": text, "text/plain": text}, metadata={"ganutils": about}
    )


def code(source, *outputs, count=None, tags=()):
    return new_code_cell(source, outputs=list(outputs), execution_count=count, metadata={"tags": list(tags)})


def results():
    cells = [new_markdown_cell(AFTER)]
    for index in range(8):
        caption = f"Samples after epoch {index + 1}, from the same latent vectors; *rows* are classes."
        size = (6.4, 3.4) if index < 6 else (3.2, 3.2)
        data = grid(index, size, (6, 12) if index < 6 else (6, 6))
        about = {"caption": caption, "alt": f"Grid of generated images {index + 1}."}
        width = {"width": "column"} if index >= 6 else {}
        cells += [
            code(f"show(epoch_grid(run, {index}))", shown(data, **about, **width), count=6 + index),
            new_markdown_cell(
                f"After epoch {index + 1} the shapes are clearer and the colours calmer. {AFTER}"
            ),
        ]
    return cells


def rich_notebook():
    """A full report: formulas, tables, ten figures, notices, progress bars and run facts."""
    notice = "> **Notice.** The images are synthetic, so the numbers say nothing about CIFAR-10."
    facts = "| Fact | Value |\n|---|---|\n| Device | CPU, 2 threads |\n| Seed | 1 |\n| Minutes | 12.5 |"
    metrics = (
        "| Metric | Value | Protocol |\n|---|--:|---|\n| FID | 31.5 | 10,000 samples against the test split |"
    )
    bar = "\r 10%|#         | 1/10 [00:01<00:09]\r100%|##########| 10/10 [00:10<00:00]\n"
    litter = f"epoch 1: loss 1.02\n{bar}epoch 2: loss 0.98\n"
    cells = [
        new_markdown_cell("# A DCGAN on CIFAR-10"),
        new_markdown_cell(
            "## Abstract\nThis report trains a DCGAN with $E=10$ epochs.", metadata={"tags": ["abstract"]}
        ),
        code(PARAMETERS, count=1, tags=["parameters"]),
        code(INJECTED, count=2, tags=["injected-parameters"]),
        code(
            "secret_code = 1",
            new_output("stream", name="stdout", text="50,000 images\n"),
            markdown_output(notice, role="notice"),
            count=3,
        ),
        new_markdown_cell(THEORY),
        new_markdown_cell("## Training"),
        code(
            "history = train()",
            new_output("stream", name="stderr", text="a warning nobody wants\n"),
            new_output("stream", name="stdout", text=litter),
            new_output(
                "display_data", data={"application/vnd.jupyter.widget-view+json": {}, "text/plain": "HBox()"}
            ),
            count=4,
        ),
        code(
            "show(losses(history))",
            shown(
                losses(),
                caption="Losses of both networks ($V$ from the game above).",
                alt="Two falling curves.",
            ),
            markdown_output("*Losses of both networks.*", role="caption"),
            count=5,
        ),
        new_markdown_cell("## Results"),
        code(
            "show_metrics()",
            markdown_output(metrics, role="table", caption="Quality of the samples."),
            count=20,
        ),
        *results(),
        code("plain_figure()", shown(grid(99, (3, 3), (6, 6))), count=30),
        new_markdown_cell("## Conclusion\n\nIt works, within limits."),
        new_markdown_cell("## References\n\n1. I. Goodfellow et al. *Generative adversarial nets*. 2014."),
        code("show_environment()", markdown_output(facts, role="environment", run="runs/dcgan-1"), count=31),
    ]
    notebook = new_notebook(cells=cells)
    notebook.metadata["kernelspec"] = {"name": "python3", "display_name": "Python 3", "language": "python"}
    notebook.metadata["papermill"] = {"end_time": "2026-03-01T12:00:00+00:00"}
    for index, cell in enumerate(notebook.cells):
        cell.id = f"cell-{index}"
    nbformat.validate(notebook)
    return notebook
