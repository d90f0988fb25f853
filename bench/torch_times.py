"""What PyTorch takes for the work of against-torch.ts: reads a list of cases as JSON, prints a list of results.

A case is {"kind": "gemm", "m", "n", "k"}, {"kind": "prefill", "tokens", "heads", "headDim"} or
{"kind": "decode", "lengths", "qHeads", "kvHeads", "headDim"}. Every way that works is timed as ours is: a CUDA graph of one call,
the median of replays between two events (graph), and of ten calls in one graph (chained), in microseconds.
"""
import json
import sys

import torch
import torch.nn.functional as F
from torch.nn.attention import SDPBackend, sdpa_kernel

BACKENDS = {
    "flash": SDPBackend.FLASH_ATTENTION,
    "cudnn": SDPBackend.CUDNN_ATTENTION,
    "efficient": SDPBackend.EFFICIENT_ATTENTION,
}


def median(graph, repeats, per):
    begin, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
    times = []
    for _ in range(repeats):
        torch.cuda.synchronize()
        begin.record()
        graph.replay()
        end.record()
        torch.cuda.synchronize()
        times.append(begin.elapsed_time(end) * 1000 / per)
    return sorted(times)[len(times) // 2]


def capture(call, times):
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        for _ in range(times):
            call()
    return graph


def measure(call, repeats):
    side = torch.cuda.Stream()
    side.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(side):
        for _ in range(3):
            call()
    torch.cuda.current_stream().wait_stream(side)
    torch.cuda.synchronize()
    single, chain = capture(call, 1), capture(call, 10)
    for _ in range(3):
        chain.replay()
    return {"graphUs": median(single, repeats, 1), "chainedUs": median(chain, max(5, repeats // 3), 10)}


def tensor(*shape):
    return torch.randn(*shape, device="cuda", dtype=torch.float16)


def attempt(results, name, call, repeats):
    try:
        results[name] = measure(call, repeats)
    except Exception as error:  # a backend that refuses the case is no result
        results[name] = {"error": str(error).splitlines()[0][:120] if str(error) else type(error).__name__}
        torch.cuda.synchronize()


def gemm(case, repeats):
    x, w = tensor(case["m"], case["k"]), tensor(case["k"], case["n"]) / case["k"] ** 0.5
    bias = tensor(case["n"])
    results = {}
    out = torch.empty(case["m"], case["n"], device="cuda", dtype=torch.float16)
    attempt(results, "matmul", lambda: torch.matmul(x, w, out=out), repeats)
    attempt(results, "addmm+gelu", lambda: F.gelu(torch.addmm(bias, x, w)), repeats)
    return results


def sdpa(backend, q, k, v, **options):
    with sdpa_kernel(backend):
        return F.scaled_dot_product_attention(q, k, v, **options)


def prefill(case, repeats):
    shape = (1, case["tokens"], case["heads"], case["headDim"])
    q, k, v = (tensor(*shape).transpose(1, 2) for _ in range(3))
    results = {}
    for name, backend in BACKENDS.items():
        attempt(results, name, lambda: sdpa(backend, q, k, v, is_causal=True), repeats)
    return results


def decode(case, repeats):
    batch, length = len(case["lengths"]), max(case["lengths"])
    heads, kv, dim = case["qHeads"], case["kvHeads"], case["headDim"]
    q = tensor(batch, heads, 1, dim)
    k, v = tensor(batch, kv, length, dim), tensor(batch, kv, length, dim)
    # The heads of a group as rows of one tile: the same result, and K and V are read once.
    rows = q.view(batch, kv, heads // kv, dim)
    results = {}
    for name, backend in BACKENDS.items():
        attempt(results, f"{name} rows", lambda: sdpa(backend, rows, k, v), repeats)
        if heads != kv:
            attempt(results, f"{name} gqa", lambda: sdpa(backend, q, k, v, enable_gqa=True), repeats)
    return results


def main():
    request = json.load(sys.stdin)
    torch.manual_seed(1)
    run = {"gemm": gemm, "prefill": prefill, "decode": decode}
    results = []
    with torch.no_grad():
        for case in request["cases"]:
            results.append(run[case["kind"]](case, request["repeats"]))
            torch.cuda.empty_cache()
    cudnn = torch.backends.cudnn.version()
    json.dump({"torch": torch.__version__, "cudnn": cudnn, "device": torch.cuda.get_device_name(), "results": results}, sys.stdout)


main()
