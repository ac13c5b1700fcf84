#!/bin/sh
# Sets up everything, then compiles a shipped LeNet and co-simulates its RTL against onnxruntime.
# Further arguments go to cimc: sh scripts/demo.sh --images 10
set -eu
cd "$(dirname "$0")/.."
sh scripts/setup.sh
exec .venv/bin/cimc models/lenet.onnx --target daism \
    --calibration models/fashion_mnist_sample.npz -o build/lenet --verify=rtl "$@"
