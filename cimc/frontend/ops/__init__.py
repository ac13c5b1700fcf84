"""Import functions, one an ONNX operator; every file in this folder is found by itself."""
