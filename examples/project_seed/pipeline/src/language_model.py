"""A real language model, if a small one: counts of word pairs, sampled to write text."""

import json
import random
from collections import Counter, defaultdict
from itertools import pairwise
from pathlib import Path

import mlflow.models
import mlflow.pyfunc


def fit(lines: list[str]) -> dict[str, dict[str, int]]:
    """How often each word follows another, over tokenized records."""
    counts: dict[str, Counter[str]] = defaultdict(Counter)
    for line in lines:
        words = ["<s>", *line.split(), "</s>"]
        for first, second in pairwise(words):
            counts[first][second] += 1
    return {first: dict(sorted(seconds.items())) for first, seconds in sorted(counts.items())}


def write(model: dict[str, dict[str, int]], random_: random.Random, longest: int = 30) -> str:
    """One sampled record."""
    word, words = "<s>", []
    while len(words) < longest:
        nexts = model[word]
        word = random_.choices(list(nexts), weights=list(nexts.values()))[0]
        if word == "</s>":
            break
        words.append(word)
    return " ".join(words)


class LanguageModel(mlflow.pyfunc.PythonModel):
    """The same for MLflow: the input is a list of seeds, the output a text for each."""

    def load_context(self, context):
        self.model = json.loads(Path(context.artifacts["weights"]).read_text())

    def predict(self, context, model_input: list[str]) -> list[str]:
        return [write(self.model, random.Random(seed)) for seed in model_input]


mlflow.models.set_model(LanguageModel())
