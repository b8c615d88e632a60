"""Train, log and register: train.py NAME WEIGHTS IN… (nothing here knows of lineagegate)"""

import json
import sys
from pathlib import Path

import mlflow
from language_model import fit

name, weights, *sources = sys.argv[1:]
lines = [line for source in sources for line in Path(source).read_text().splitlines()]
model = fit(lines)
Path(weights).parent.mkdir(exist_ok=True)
Path(weights).write_text(json.dumps(model))

mlflow.set_experiment("seed")
with mlflow.start_run(run_name=name):
    mlflow.log_metric("records", len(lines))
    mlflow.pyfunc.log_model(
        name="model",
        python_model="src/language_model.py",
        artifacts={"weights": weights},
        pip_requirements=["mlflow"],
        registered_model_name=name,
    )
