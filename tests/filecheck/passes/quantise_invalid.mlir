// RUN: cimc-opt %s --split-input-file --verify-diagnostics -p quantise | filecheck %s

func.func @main(%x: tensor<1x2x4x4xf32>) -> tensor<1x2x4x4xf32> {
  %r = nn.relu %x {range = array<f64: 0.0, 1.0>} : tensor<1x2x4x4xf32> -> tensor<1x2x4x4xf32>
  func.return %r : tensor<1x2x4x4xf32>
}
// CHECK: func.func: arg_ranges is missing; run calibrate first

// -----

func.func @main(%x: tensor<1x2x4x4xf32>) -> tensor<1x2x4x4xf32> attributes {arg_ranges = [array<f64: -1.0, 1.27>]} {
  %r = nn.relu %x : tensor<1x2x4x4xf32> -> tensor<1x2x4x4xf32> loc("relu"("m.onnx":4:0))
  func.return %r : tensor<1x2x4x4xf32>
}
// CHECK: m.onnx node #4 'relu': nn.relu: range is missing; run calibrate first

// -----

func.func @main(%x: tensor<1x2x4x4xf32>) -> tensor<1x2x6x6xf32> attributes {arg_ranges = [array<f64: -1.0, 1.27>]} {
  %p = nn.pad %x {pads = array<i64: 1, 1, 1, 1>, value = 0.0 : f64, range = array<f64: -1.0, 1.0>} : tensor<1x2x4x4xf32> -> tensor<1x2x6x6xf32> loc("pad"("m.onnx":5:0))
  func.return %p : tensor<1x2x6x6xf32>
}
// CHECK: m.onnx node #5 'pad': nn.pad: has no quantised form

// -----

func.func @main(%x: tensor<1x2xf32>) -> tensor<1x2xf32> attributes {arg_ranges = [array<f64: -1.0, 1.27>]} {
  %s = nn.host %x model #nn.blob<"0", tensor<4xui8>> {nodes = "Softmax", reason = "no unit"} : (tensor<1x2xf32>) -> tensor<1x2xf32> loc("soft"("m.onnx":5:0))
  %g = nn.gemm %s weights #nn.blob<"38af1223c44ebe98", tensor<2x2xf32>> {range = array<f64: 0.0, 1.0>} : tensor<1x2xf32> -> tensor<1x2xf32> loc("fc"("m.onnx":6:0))
  func.return %g : tensor<1x2xf32>
}
// CHECK: m.onnx node #5 'soft': nn.host: range is missing; run calibrate first
