"""Files of models that C++ and Rust open: seen at the libraries' own ways in, which behave as without us."""

from __future__ import annotations

from pathlib import Path

from tests.unit.capture.test_spans import run
from tests.unit.capture.test_ways import ONNX

LOAD = """
import pathlib, numpy, onnxruntime, safetensors, safetensors.numpy
safetensors.numpy.save_file({"a": numpy.ones(3)}, "saved.safetensors")
for name in "plain", "named", "path", "numpy":
    pathlib.Path(name).write_bytes(pathlib.Path("saved.safetensors").read_bytes())
with safetensors.safe_open("plain", "np") as opened:
    assert isinstance(opened, safetensors.safe_open) and opened.keys() == ["a"]
safetensors.safe_open(filename="named", framework="numpy")
safetensors.safe_open(pathlib.Path("path"), framework="numpy", device="cpu")
assert list(safetensors.numpy.load_file("numpy")) == ["a"]
assert not isinstance("x", safetensors.safe_open) and issubclass(type(opened), type(opened))
assert "safe" in repr(safetensors.safe_open) and safetensors.safe_open.get_tensor
for wrong, error in ((lambda: safetensors.safe_open("missing", "np"), FileNotFoundError), (safetensors.safe_open, TypeError)):
    try: wrong()
    except error: pass
    else: raise AssertionError(error)

class Own(onnxruntime.InferenceSession):
    def __init__(self, path): super().__init__(path_or_bytes=path)
own = Own("model.onnx")
assert own.get_inputs()[0].name == "x"
onnxruntime.InferenceSession(pathlib.Path("model.onnx").read_bytes())
"""


def test_the_files_of_models_are_read(tmp_path: Path) -> None:
    (tmp_path / "model.onnx").write_bytes(ONNX)
    seen, _ = run(tmp_path, LOAD)
    names = {Path(path).name for path in seen.things["read"]}
    assert names == {"plain", "named", "path", "numpy", "saved.safetensors", "model.onnx"}
    assert seen.things["library"] == {"onnxruntime": 0}
