"""Share of an exam's word pairs that a model knows, then register: evaluate.py NAME METRICS WEIGHTS EXAM"""

import json
import sys
from pathlib import Path

import mlflow
from language_model import fit

name, metrics, weights, exam = sys.argv[1:]
model = json.loads(Path(weights).read_text())
pairs = fit([json.loads(line)["text"].lower() for line in Path(exam).open()])
known = sum(second in model.get(first, {}) for first, seconds in pairs.items() for second in seconds)
score = known / sum(len(seconds) for seconds in pairs.values())
Path(metrics).parent.mkdir(exist_ok=True)
Path(metrics).write_text(json.dumps({"known": score}) + "\n")

mlflow.set_experiment("seed")
with mlflow.start_run(run_name=f"evaluate {name}"):
    mlflow.log_metric("known", score)
    mlflow.pyfunc.log_model(
        name="model",
        python_model="src/language_model.py",
        artifacts={"weights": weights},
        pip_requirements=["mlflow"],
        registered_model_name=name,
    )
