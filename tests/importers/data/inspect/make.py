"""Makes the logs beside it, in an environment with inspect_ai: `python make.py`."""

from __future__ import annotations

from inspect_ai import Task, eval, task
from inspect_ai.dataset import MemoryDataset, Sample
from inspect_ai.model import ModelOutput, ModelUsage, get_model
from inspect_ai.scorer import match

N_ITEMS = 8
WRONG = {"base": (), "plus": (1, 4)}


@task
def sums() -> Task:
    """Eight sums, of which a model is told what to say."""
    samples = [
        Sample(id=f"sum-{n}", input=f"{n}+{n}=?", target=str(2 * n), metadata={"subject": "odd" if n % 2 else "even"})
        for n in range(N_ITEMS)
    ]
    return Task(dataset=MemoryDataset(samples, name="sums"), scorer=match(), version=2)


for name, wrong in WRONG.items():
    outputs = []
    for n in range(N_ITEMS):
        output = ModelOutput.from_content("mockllm/model", "99" if n in wrong else str(2 * n))
        output.usage = ModelUsage(input_tokens=5, output_tokens=1, total_tokens=6)
        outputs.append(output)
    model = get_model("mockllm/model", custom_outputs=outputs)
    eval(sums(), model=model, log_dir=name, display="none", max_samples=1, log_format="eval")
