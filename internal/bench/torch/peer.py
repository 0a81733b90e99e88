"""PyTorch's side of the benchmark, a process that the tool in Go talks to.

    python peer.py ORDER.json eager|compiled

The order names the model's program, bench.py in its folder, whose class Model has a method compile and a method run that
returns a loss and the norm of its gradient; class Sampler, for orders of pictures, returns their mean and the root of the
mean square, and has a method apart that says how far they are from ours. An order of updates names a verifier's program, too,
and pairs.py makes the updates of both, with a method apart for the adapter. Every line of the standard input asks for some
runs, and a line of JSON on the standard output answers it. Whatever libraries print goes to the standard error.
"""

import importlib.util
import json
import os
import sys
import time
import traceback


def resident():
    """The most bytes that the process has had in memory; 0 where the system does not tell."""
    try:
        with open("/proc/self/status") as status:
            return next(int(line.split()[1]) << 10 for line in status if line.startswith("VmHWM:"))
    except (OSError, StopIteration):
        return 0


def program(path):
    spec = importlib.util.spec_from_file_location("bench", path)
    loaded = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(loaded)
    return loaded


def ordered(order):
    own = program(order["program"])
    if order["kind"] == "pictures":
        return own.Sampler(order)
    if order["kind"] == "pair":
        from pairs import Pair

        return Pair(order, own, program(order["verifier_program"]))
    return own.Model(order)


def opened(path, how):
    with open(path) as file:
        order = json.load(file)
    import torch

    torch.set_num_threads(order["threads"])
    model = ordered(order)
    if how == "compiled":
        model.compile()
    return model, f"PyTorch {torch.__version__}, {torch.get_num_threads()} threads"


def measured(model, runs):
    seconds, losses, norms = [], [], []
    for _ in range(runs):
        began = time.perf_counter()
        loss, norm = model.run()
        seconds.append(time.perf_counter() - began)
        losses.append(loss)
        norms.append(norm)
    answer = {"seconds": seconds, "losses": losses, "norms": norms, "peak": resident()}
    return answer | {"apart": model.apart()} if hasattr(model, "apart") else answer


def main(path, how):
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)

    def say(**answer):
        try:
            text = json.dumps(answer, allow_nan=False)
        except ValueError:
            text = json.dumps({"error": "the numbers of a run are not finite"})
        print(text, file=answers, flush=True)

    try:
        model, what = opened(path, how)
        say(ready=what)
        for line in sys.stdin:
            say(**measured(model, json.loads(line)["runs"]))
    except Exception as error:
        traceback.print_exc()
        text = traceback.format_exception_only(error)[-1].strip()
        say(error=" ".join(text.split())[:500])
        sys.exit(1)


if __name__ == "__main__":
    main(*sys.argv[1:])
