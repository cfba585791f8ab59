"""
One kernel instead of four
==========================

Adding a bias, rectifying, squaring, adding the input back: four operations, and each
carries a whole tensor from memory to the processor and back. We write them as one
kernel, in C++ and in Triton, with its gradient. Is it right, and does it pay? It
passes PyTorch's own tests. It makes large tensors faster, by the journeys it saves,
and small ones not at all: those cost what a call costs. The rival to beat is not the
four operations but ``torch.compile``, which fuses them unasked.
"""

import logging
import os
import shutil
import tempfile
import warnings
from functools import partial
from importlib.util import find_spec

folder = os.environ["TORCHINDUCTOR_CACHE_DIR"] = tempfile.mkdtemp()
# it would report a CUDA compiler without a GPU, and we need neither
logging.getLogger("torch.utils.cpp_extension").setLevel(logging.ERROR)

import matplotlib.pyplot as plt
import ninja
import torch
from torch.utils import cpp_extension

from tenphases import budget, get_device, viz
from tenphases.benchmarks import device_name, fastest

viz.use_style()
torch.manual_seed(0)
torch.set_num_threads(1)
device = get_device()

# %%
# Four operations
# ---------------
# A residual branch may end in :math:`y = r + \mathrm{relu}(x + b)^2`, with the squared
# ReLU of So and others (2021). In PyTorch each sign is a kernel of its own, which
# reads its input from memory and writes its result back: nine journeys of a tensor,
# where three would do.


def eager(x, bias, residual):  # (N, width), (width,), (N, width)
    return residual + (x + bias).relu().square()


# %%
# One loop in C++
# ---------------
# The derivative of :math:`y` by :math:`x` is :math:`2\, \mathrm{relu}(x + b)`, so one
# loop serves both directions. ``AT_DISPATCH`` writes it once for float and once for
# double, ``parallel_for`` shares the rows among PyTorch's threads. Nothing asks for a
# certain processor.

SOURCE = """
#include <ATen/Dispatch.h>
#include <ATen/Parallel.h>
#include <ATen/ops/empty_like.h>
#include <torch/library.h>

// backward false: other is the residual; true: the gradient that comes in
at::Tensor run(const at::Tensor& x, const at::Tensor& bias, const at::Tensor& other,
               bool backward) {
  at::Tensor out = at::empty_like(x);
  const int64_t rows = x.size(0), width = x.size(1);
  AT_DISPATCH_FLOATING_TYPES(x.scalar_type(), "run", [&] {
    const scalar_t* px = x.const_data_ptr<scalar_t>();
    const scalar_t* pb = bias.const_data_ptr<scalar_t>();
    const scalar_t* po = other.const_data_ptr<scalar_t>();
    scalar_t* result = out.mutable_data_ptr<scalar_t>();
    at::parallel_for(0, rows, 1 + 32768 / (width + 1), [&](int64_t a, int64_t b) {
      for (int64_t i = a * width; i < b * width; i += width)
        for (int64_t j = 0; j < width; ++j) {
          const scalar_t z = px[i + j] + pb[j], r = z > 0 ? z : 0;
          result[i + j] = backward ? po[i + j] * 2 * r : po[i + j] + r * r;
        }
    });
  });
  return out;
}

TORCH_LIBRARY(tenphases_loop, m) { m.def("run", &run); }
"""

# %%
# ``load_inline`` calls a compiler through ``ninja``, which pip may have put into a
# folder that is not on the path.

compiler = shutil.which(cpp_extension.get_cxx_compiler())
if compiler:
    os.environ["PATH"] = ninja.BIN_DIR + os.pathsep + os.environ["PATH"]
    cpp_extension.load_inline(
        "tenphases_loop",
        SOURCE,
        extra_cflags=["-O3"],
        build_directory=folder,
        is_python_module=False,  # TORCH_LIBRARY registers it in torch.ops
        no_implicit_headers=True,
    )
else:
    print("There is no C++ compiler here; what needs one is left out.")

# %%
# One block in Triton
# -------------------
# Triton is a Python for GPUs. A kernel handles one *block* of elements, and hundreds
# of blocks run at once. Where there is no GPU, Triton interprets it block by block
# in NumPy. That tests the kernel, above all the mask at the end, but its time says
# nothing about a GPU, so we do not take it.

has_triton = find_spec("triton") is not None
if has_triton:
    if device.type != "cuda":
        os.environ["TRITON_INTERPRET"] = "1"  # before the kernel is decorated
    import triton
    import triton.language as tl

    @triton.jit
    def kernel(x, bias, other, out, n, width, BACK: tl.constexpr, BLOCK: tl.constexpr):
        i = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
        inside = i < n  # the last block hangs over the end
        z = tl.load(x + i, mask=inside) + tl.load(bias + i % width, mask=inside)
        r = tl.maximum(z, 0.0)
        o = tl.load(other + i, mask=inside)
        tl.store(out + i, o * 2 * r if BACK else o + r * r, mask=inside)


def run_triton(x, bias, other, backward):
    out, block = torch.empty_like(x), 1024
    grid = (triton.cdiv(x.numel(), block),)
    kernel[grid](x, bias, other, out, x.numel(), x.shape[1], backward, block)
    return out


# %%
# An operation with a gradient
# ----------------------------
# PyTorch cannot look into either kernel. We tell it three things: what the operation
# is called and takes (``custom_op``), which shape comes out (``register_fake``, for
# ``torch.compile``, which traces without computing), and how to go back
# (``register_autograd``). What goes back is the operation itself, the other way.


def operation(name, run):
    def call(
        x: torch.Tensor, bias: torch.Tensor, other: torch.Tensor, backward: bool
    ) -> torch.Tensor:
        return run(x.contiguous(), bias.contiguous(), other.contiguous(), backward)

    def remember(ctx, inputs, output):
        ctx.save_for_backward(*inputs[:2])
        ctx.twice = inputs[3]

    def gradients(ctx, grad):
        if ctx.twice:
            raise NotImplementedError("this kernel has no second derivative")
        x, bias = ctx.saved_tensors
        inner = op(x, bias, grad, True)
        return inner, inner.sum(dim=0), grad, None

    op = torch.library.custom_op(f"tenphases::{name}", call, mutates_args=())
    op.register_fake(lambda x, bias, other, backward: x.new_empty(x.shape))
    op.register_autograd(gradients, setup_context=remember)
    return op


def example(rows, width, dtype=torch.float32, device="cpu"):
    shapes, options = ((rows, width), (width,), (rows, width)), {"requires_grad": True}
    return [torch.randn(s, dtype=dtype, device=device, **options) for s in shapes]


# %%
# Is it right? Both kernels must give the values and the gradients of the four
# operations, on a size that fills no block. ``gradcheck`` compares a gradient with
# finite differences in float64, and ``opcheck`` tests the registration: the schema,
# the fake result, autograd, and all of it under ``torch.compile``.


def agrees(op, inputs):
    def all_of(f):
        out = f(*inputs)
        return out, *torch.autograd.grad(out.sin().sum(), inputs)

    torch.testing.assert_close(all_of(lambda *t: op(*t, False)), all_of(eager))


candidates = {"four operations": eager}
if has_triton:
    by_triton = operation("by_triton", run_triton)
    agrees(by_triton, example(65, 33, device=device))
    print("Triton agrees with eager, values and gradients;", type(kernel).__name__)
if compiler:
    by_cpp = operation("by_cpp", torch.ops.tenphases_loop.run)
    for dtype in (torch.float32, torch.float64):
        agrees(by_cpp, example(65, 33, dtype))
    small = example(3, 5, torch.float64)
    print("gradcheck:", torch.autograd.gradcheck(by_cpp, (*small, False)))
    with warnings.catch_warnings(action="ignore"):  # about opcheck's own copies
        verdicts = torch.library.opcheck(by_cpp, (*small, False))
    for test, verdict in verdicts.items():
        print(f"opcheck: {test} {verdict}")
    candidates["torch.compile"] = torch.compile(eager, dynamic=True)
    candidates["C++ kernel"] = lambda *tensors: by_cpp(*tensors, False)

# %%
# Does it pay?
# ------------
# One thread, tensors of 256 columns and more and more rows, candidates in turns, of
# each the fastest round.

ROWS = [4, 16, 64, 256, 1024, 4096, budget(cpu=16384, gpu=65536)]
times = {(name, back): [] for back in (False, True) for name in candidates}


def forward(f, inputs):
    with torch.no_grad():
        return f(*inputs)


def both_ways(f, inputs):
    out = f(*inputs)
    return torch.autograd.grad(out, inputs, out.detach())


for rows in ROWS:
    inputs = example(rows, 256)
    for back, way in ((False, forward), (True, both_ways)):
        rounds = [
            [fastest(partial(way, f, inputs), budget=0.03) for f in candidates.values()]
            for _ in range(3)
        ]
        for name, taken in zip(candidates, zip(*rounds, strict=True), strict=True):
            times[name, back].append(1e9 * min(taken) / (rows * 256))

# %%
# On the left the values alone, on the right with gradients.

# sphinx_gallery_alt = "Two line charts with logarithmic axes, nanoseconds for an element over the number of elements; left values alone, right with gradients. Three curves each: four operations, torch.compile, C++ kernel. All fall steeply with the size at first. For large tensors the curve of the four operations lies above the others."
fig, axes = plt.subplots(1, 2, figsize=(7.2, 3.2), sharey=True)
for (name, back), nanoseconds in times.items():
    color = dict(zip(candidates, (viz.GREY, viz.ORANGE, viz.BLUE), strict=False))[name]
    sizes = [rows * 256 for rows in ROWS]
    axes[int(back)].plot(sizes, nanoseconds, ".-", color=color, label=name)
for ax, what in zip(axes, ("values", "values and gradients"), strict=True):
    ax.set(xscale="log", yscale="log", xlabel=f"elements ({what})")
axes[0].set_ylabel("time for an element (ns)")
fig.legend(*axes[0].get_legend_handles_labels(), loc="outside upper center", ncols=3)

print(f"on this processor ({device_name('cpu')}, one thread), four operations = 1:")
for (name, back), mine in times.items():
    first = times["four operations", back]
    speeds = ", ".join(f"{first[k] / mine[k]:.2f}" for k in (0, 3, -1))
    way = "with gradients" if back else "values"
    print(f"{name:16}{way:15} small, middle, large: {speeds}")

# %%
# Small tensors cost what a call costs, and a custom operation's call goes through
# Python, which the four built-in ones do not. Large ones cost journeys to memory, and
# the three tensors in between must be asked from the system as well, which for large
# ones takes longer than the arithmetic. Both fused versions save the same, and the
# compiler wrote its loop unasked. So write a kernel by hand only where the compiler has
# been tried and misses something: an algorithm it does not know, a data structure it
# cannot see.

if compiler:
    for back in (False, True):
        base, ours = times["four operations", back], times["C++ kernel", back]
        assert ours[-1] < 0.95 * base[-1] and ours[0] > 0.7 * base[0]
        assert times["torch.compile", back][-1] < base[-1]
for series in times.values():
    assert series[0] > 2 * min(series)

# %%
# To vary: the arithmetic (GELU needs ``erf``, for which PyTorch has a fast version and
# a plain loop has not), the number of threads, or rows that are not contiguous.
