"""The ONNX checker on every file: the rules of the format, and shape inference that has to agree with what the file declares."""
import json
import pathlib
import sys

import onnx

folder = pathlib.Path(sys.argv[1])
entries = json.loads((folder / "manifest.json").read_text())
bad = 0
for entry in entries:
    path = folder / entry["file"]
    try:
        model = onnx.load(str(path))
        onnx.checker.check_model(model, full_check=True)
        inferred = onnx.shape_inference.infer_shapes(model, check_type=True, strict_mode=True, data_prop=True)
        onnx.checker.check_model(inferred)
    except Exception as problem:  # whatever it says, the file is the news
        bad += 1
        print(f"{entry['file']}: {problem}")
print(f"onnx {onnx.__version__} (IR {onnx.IR_VERSION}, opset {onnx.defs.onnx_opset_version()}): {len(entries) - bad} of {len(entries)} files are valid under the checker with strict shape inference")
sys.exit(bad != 0)
