// RUN: cimc-opt %s --split-input-file --verify-diagnostics | filecheck %s

func.func @f(%x: tensor<3x8x8xf32>) {
  %y = nn.conv %x weights #nn.blob<"w", tensor<4x3x3x3xf32>> {kernel = array<i64: 3, 3>, strides = array<i64: 1, 1>, pads = array<i64: 0, 0, 0, 0>, dilations = array<i64: 1, 1>, group = 1 : i64} : tensor<3x8x8xf32> -> tensor<1x4x6x6xf32> loc("/layer"("model.onnx":3:0))
  func.return
}
// CHECK: model.onnx node #3 '/layer': nn.conv: expected a tensor of rank 4 and known shape, got tensor<3x8x8xf32>

// -----

func.func @f(%x: tensor<1x3x?x8xf32>) {
  %y = nn.conv %x weights #nn.blob<"w", tensor<4x3x3x3xf32>> {kernel = array<i64: 3, 3>, strides = array<i64: 1, 1>, pads = array<i64: 0, 0, 0, 0>, dilations = array<i64: 1, 1>, group = 1 : i64} : tensor<1x3x?x8xf32> -> tensor<1x4x6x6xf32> loc("/layer"("model.onnx":3:0))
  func.return
}
// CHECK: model.onnx node #3 '/layer': nn.conv: expected a tensor of rank 4 and known shape, got tensor<1x3x?x8xf32>

// -----

func.func @f(%x: tensor<1x3x8x8xf32>) {
  %y = nn.conv %x weights #nn.blob<"w", tensor<4x3x3x3xf32>> {kernel = array<i64: 3>, strides = array<i64: 1, 1>, pads = array<i64: 0, 0, 0, 0>, dilations = array<i64: 1, 1>, group = 1 : i64} : tensor<1x3x8x8xf32> -> tensor<1x4x6x6xf32> loc("/layer"("model.onnx":3:0))
  func.return
}
// CHECK: model.onnx node #3 '/layer': nn.conv: kernel must be 2 values of at least 1, got [3]

// -----

func.func @f(%x: tensor<1x3x8x8xf32>) {
  %y = nn.conv %x weights #nn.blob<"w", tensor<4x3x3x3xf32>> {kernel = array<i64: 3, 3>, strides = array<i64: 0, 1>, pads = array<i64: 0, 0, 0, 0>, dilations = array<i64: 1, 1>, group = 1 : i64} : tensor<1x3x8x8xf32> -> tensor<1x4x6x6xf32> loc("/layer"("model.onnx":3:0))
  func.return
}
// CHECK: model.onnx node #3 '/layer': nn.conv: strides must be 2 values of at least 1, got [0, 1]

// -----

func.func @f(%x: tensor<1x3x8x8xf32>) {
  %y = nn.conv %x weights #nn.blob<"w", tensor<4x3x3x3xf32>> {kernel = array<i64: 3, 3>, strides = array<i64: 1, 1>, pads = array<i64: -1, 0, 0, 0>, dilations = array<i64: 1, 1>, group = 1 : i64} : tensor<1x3x8x8xf32> -> tensor<1x4x6x6xf32> loc("/layer"("model.onnx":3:0))
  func.return
}
// CHECK: model.onnx node #3 '/layer': nn.conv: pads must be 4 values of at least 0, got [-1, 0, 0, 0]

// -----

func.func @f(%x: tensor<1x3x8x8xf32>) {
  %y = nn.conv %x weights #nn.blob<"w", tensor<4x3x3x3xf32>> {kernel = array<i64: 3, 3>, strides = array<i64: 1, 1>, pads = array<i64: 0, 0, 0, 0>, dilations = array<i64: 1, 1, 1>, group = 1 : i64} : tensor<1x3x8x8xf32> -> tensor<1x4x6x6xf32> loc("/layer"("model.onnx":3:0))
  func.return
}
// CHECK: model.onnx node #3 '/layer': nn.conv: dilations must be 2 values of at least 1, got [1, 1, 1]

// -----

func.func @f(%x: tensor<1x3x8x8xf32>) {
  %y = nn.conv %x weights #nn.blob<"w", tensor<4x3x3x3xf32>> {kernel = array<i64: 3, 3>, strides = array<i64: 1, 1>, pads = array<i64: 0, 0, 0, 0>, dilations = array<i64: 1, 1>, group = 2 : i64} : tensor<1x3x8x8xf32> -> tensor<1x4x6x6xf32> loc("/layer"("model.onnx":3:0))
  func.return
}
// CHECK: model.onnx node #3 '/layer': nn.conv: group 2 must divide 3 inputs and the outputs of 4x3x3x3

// -----

func.func @f(%x: tensor<1x3x8x8xf32>) {
  %y = nn.conv %x weights #nn.blob<"w", tensor<4x5x3x3xf32>> {kernel = array<i64: 3, 3>, strides = array<i64: 1, 1>, pads = array<i64: 0, 0, 0, 0>, dilations = array<i64: 1, 1>, group = 1 : i64} : tensor<1x3x8x8xf32> -> tensor<1x4x6x6xf32> loc("/layer"("model.onnx":3:0))
  func.return
}
// CHECK: model.onnx node #3 '/layer': nn.conv: expected weights of shape 4x3x3x3, got 4x5x3x3

// -----

func.func @f(%x: tensor<1x3x8x8xf32>) {
  %y = nn.conv %x weights #nn.blob<"w", tensor<4x3x3x3xf32>> {kernel = array<i64: 3, 3>, strides = array<i64: 1, 1>, pads = array<i64: 0, 0, 0, 0>, dilations = array<i64: 4, 4>, group = 1 : i64} : tensor<1x3x8x8xf32> -> tensor<1x4x6x6xf32> loc("/layer"("model.onnx":3:0))
  func.return
}
// CHECK: model.onnx node #3 '/layer': nn.conv: kernel does not fit: result would be 0x0

// -----

func.func @f(%x: tensor<1x3x8x8xf32>) {
  %y = nn.conv %x weights #nn.blob<"w", tensor<4x3x3x3xf32>> {kernel = array<i64: 3, 3>, strides = array<i64: 1, 1>, pads = array<i64: 0, 0, 0, 0>, dilations = array<i64: 1, 1>, group = 1 : i64} : tensor<1x3x8x8xf32> -> tensor<1x4x8x8xf32> loc("/layer"("model.onnx":3:0))
  func.return
}
// CHECK: model.onnx node #3 '/layer': nn.conv: expected a result of shape 1x4x6x6, got 1x4x8x8

// -----

func.func @f(%x: tensor<1x3x8x8xf32>) {
  %y = nn.conv %x weights #nn.blob<"w", tensor<4x3x3x3xf32>> bias #nn.blob<"b", tensor<5xf32>> {kernel = array<i64: 3, 3>, strides = array<i64: 1, 1>, pads = array<i64: 0, 0, 0, 0>, dilations = array<i64: 1, 1>, group = 1 : i64} : tensor<1x3x8x8xf32> -> tensor<1x4x6x6xf32> loc("/layer"("model.onnx":3:0))
  func.return
}
// CHECK: model.onnx node #3 '/layer': nn.conv: bias must have 4 values, one an output, got tensor<5xf32>

// -----

func.func @f(%x: tensor<1x3x8x8xf32>) {
  %y = nn.conv %x weights #nn.blob<"w", tensor<4x3x3x3xf32>> {kernel = array<i64: 3, 3>, strides = array<i64: 1, 1>, pads = array<i64: 0, 0, 0, 0>, dilations = array<i64: 1, 1>, group = 1 : i64, activation = "tanh"} : tensor<1x3x8x8xf32> -> tensor<1x4x6x6xf32> loc("/layer"("model.onnx":3:0))
  func.return
}
// CHECK: model.onnx node #3 '/layer': nn.conv: activation must be "relu" or "clip", got "tanh"

// -----

func.func @f(%x: tensor<1x3x8x8xf32>) {
  %y = nn.conv %x weights #nn.blob<"w", tensor<4x3x3x3xf32>> {kernel = array<i64: 3, 3>, strides = array<i64: 1, 1>, pads = array<i64: 0, 0, 0, 0>, dilations = array<i64: 1, 1>, group = 1 : i64, activation = "relu", clip_min = 0.0 : f64, clip_max = 1.0 : f64} : tensor<1x3x8x8xf32> -> tensor<1x4x6x6xf32> loc("/layer"("model.onnx":3:0))
  func.return
}
// CHECK: model.onnx node #3 '/layer': nn.conv: clip_min and clip_max go with activation "clip"

// -----

func.func @f(%x: tensor<1x3x8x8xf32>) {
  %y = nn.conv %x weights #nn.blob<"w", tensor<4x3x3x3xf32>> {kernel = array<i64: 3, 3>, strides = array<i64: 1, 1>, pads = array<i64: 0, 0, 0, 0>, dilations = array<i64: 1, 1>, group = 1 : i64, activation = "clip", clip_min = 0.0 : f64} : tensor<1x3x8x8xf32> -> tensor<1x4x6x6xf32> loc("/layer"("model.onnx":3:0))
  func.return
}
// CHECK: model.onnx node #3 '/layer': nn.conv: clip_min and clip_max go with activation "clip"

// -----

func.func @f(%x: tensor<1x3x8x8xf32>) {
  %y = nn.conv %x weights #nn.blob<"w", tensor<4x3x3x3xf32>> {kernel = array<i64: 3, 3>, strides = array<i64: 1, 1>, pads = array<i64: 0, 0, 0, 0>, dilations = array<i64: 1, 1>, group = 1 : i64, weight_bits = 9 : i64} : tensor<1x3x8x8xf32> -> tensor<1x4x6x6xf32> loc("/layer"("model.onnx":3:0))
  func.return
}
// CHECK: model.onnx node #3 '/layer': nn.conv: weight_bits must be in [2, 8], got 9

// -----

func.func @f(%x: tensor<1x3x8x8xf32>) {
  %y = nn.conv %x weights #nn.blob<"w", tensor<4x3x3x3xf32>> {kernel = array<i64: 3, 3>, strides = array<i64: 1, 1>, pads = array<i64: 0, 0, 0, 0>, dilations = array<i64: 1, 1>, group = 1 : i64, activation_bits = 1 : i64} : tensor<1x3x8x8xf32> -> tensor<1x4x6x6xf32> loc("/layer"("model.onnx":3:0))
  func.return
}
// CHECK: model.onnx node #3 '/layer': nn.conv: activation_bits must be in [2, 8], got 1

// -----

func.func @f(%x: tensor<1x3x8x8xf32>) {
  %y = nn.conv %x weights #nn.blob<"w", tensor<4x3x3x3xf32>> {kernel = array<i64: 3, 3>, strides = array<i64: 1, 1>, pads = array<i64: 0, 0, 0, 0>, dilations = array<i64: 1, 1>, group = 1 : i64, low = 0 : i64, high = 9 : i64} : tensor<1x3x8x8xf32> -> tensor<1x4x6x6xf32> loc("/layer"("model.onnx":3:0))
  func.return
}
// CHECK: model.onnx node #3 '/layer': nn.conv: float form must not have low, high

// -----

func.func @f(%x: tensor<1x3x8x8x!nn.quant<ui8, 0.5, 0>>) {
  %y = nn.conv %x weights #nn.blob<"w", tensor<4x3x3x3xf32>> {kernel = array<i64: 3, 3>, strides = array<i64: 1, 1>, pads = array<i64: 0, 0, 0, 0>, dilations = array<i64: 1, 1>, group = 1 : i64} : tensor<1x3x8x8x!nn.quant<ui8, 0.5, 0>> -> tensor<1x4x6x6xf32> loc("/layer"("model.onnx":3:0))
  func.return
}
// CHECK: model.onnx node #3 '/layer': nn.conv: operands and result must be all f32 or all quantised, got !nn.quant<ui8, 5.000000e-01, 0>, f32

// -----

func.func @f(%x: tensor<1x3x8x8xf32>) {
  %y = nn.conv %x weights #nn.blob<"w", tensor<4x3x3x3xi8>> {kernel = array<i64: 3, 3>, strides = array<i64: 1, 1>, pads = array<i64: 0, 0, 0, 0>, dilations = array<i64: 1, 1>, group = 1 : i64} : tensor<1x3x8x8xf32> -> tensor<1x4x6x6xf32> loc("/layer"("model.onnx":3:0))
  func.return
}
// CHECK: model.onnx node #3 '/layer': nn.conv: weights must be of f32, got tensor<4x3x3x3xi8>

// -----

func.func @f(%x: tensor<1x3x8x8x!nn.quant<ui8, 0.5, 0>>) {
  %y = nn.conv %x weights #nn.blob<"w", tensor<4x3x3x3xi8>> {kernel = array<i64: 3, 3>, strides = array<i64: 1, 1>, pads = array<i64: 0, 0, 0, 0>, dilations = array<i64: 1, 1>, group = 1 : i64, weight_scales = #nn.blob<"s", tensor<4xf64>>, weight_zero = 0 : i64, requant_m = #nn.blob<"m", tensor<4xi32>>, requant_s = #nn.blob<"r", tensor<4xi32>>, low = 0 : i64, high = 255 : i64, weight_bits = 8 : i64, activation_bits = 8 : i64} : tensor<1x3x8x8x!nn.quant<ui8, 0.5, 0>> -> tensor<1x4x6x6x!nn.quant<ui8, 0.5, 0>> loc("/layer"("model.onnx":3:0))
  func.return
}
// CHECK: model.onnx node #3 '/layer': nn.conv: requant_s must be of ui8, got tensor<4xi32>

// -----

func.func @f(%x: tensor<1x3x8x8x!nn.quant<ui8, 0.5, 0>>) {
  %y = nn.conv %x weights #nn.blob<"w", tensor<4x3x3x3xi8>> {kernel = array<i64: 3, 3>, strides = array<i64: 1, 1>, pads = array<i64: 0, 0, 0, 0>, dilations = array<i64: 1, 1>, group = 1 : i64, weight_scales = #nn.blob<"s", tensor<4xf64>>, weight_zero = 0 : i64, requant_s = #nn.blob<"r", tensor<4xui8>>, high = 255 : i64, weight_bits = 8 : i64, activation_bits = 8 : i64} : tensor<1x3x8x8x!nn.quant<ui8, 0.5, 0>> -> tensor<1x4x6x6x!nn.quant<ui8, 0.5, 0>> loc("/layer"("model.onnx":3:0))
  func.return
}
// CHECK: model.onnx node #3 '/layer': nn.conv: quantised form lacks requant_m, low

// -----

func.func @f(%x: tensor<1x3x8x8x!nn.quant<ui8, 0.5, 0>>) {
  %y = nn.conv %x weights #nn.blob<"w", tensor<4x3x3x3xi8>> {kernel = array<i64: 3, 3>, strides = array<i64: 1, 1>, pads = array<i64: 0, 0, 0, 0>, dilations = array<i64: 1, 1>, group = 1 : i64, weight_scales = #nn.blob<"s", tensor<4xf64>>, weight_zero = 0 : i64, requant_m = #nn.blob<"m", tensor<4xi32>>, requant_s = #nn.blob<"r", tensor<4xui8>>, low = 0 : i64, high = 255 : i64, weight_bits = 8 : i64} : tensor<1x3x8x8x!nn.quant<ui8, 0.5, 0>> -> tensor<1x4x6x6x!nn.quant<ui8, 0.5, 0>> loc("/layer"("model.onnx":3:0))
  func.return
}
// CHECK: model.onnx node #3 '/layer': nn.conv: quantised form lacks activation_bits

// -----

func.func @f(%x: tensor<1x3x8x8x!nn.quant<ui8, 0.5, 0>>) {
  %y = nn.conv %x weights #nn.blob<"w", tensor<4x3x3x3xi8>> {kernel = array<i64: 3, 3>, strides = array<i64: 1, 1>, pads = array<i64: 0, 0, 0, 0>, dilations = array<i64: 1, 1>, group = 1 : i64, weight_scales = #nn.blob<"s", tensor<4xf64>>, weight_zero = 0 : i64, requant_m = #nn.blob<"m", tensor<4xi32>>, requant_s = #nn.blob<"r", tensor<4xui8>>, low = 0 : i64, high = 256 : i64, weight_bits = 8 : i64, activation_bits = 8 : i64} : tensor<1x3x8x8x!nn.quant<ui8, 0.5, 0>> -> tensor<1x4x6x6x!nn.quant<ui8, 0.5, 0>> loc("/layer"("model.onnx":3:0))
  func.return
}
// CHECK: model.onnx node #3 '/layer': nn.conv: clamp [0, 256] must be a range within [0, 255] of ui8

// -----

func.func @f(%x: tensor<1x3x8x8x!nn.quant<ui8, 0.5, 0>>) {
  %y = nn.conv %x weights #nn.blob<"w", tensor<4x3x3x3xi8>> {kernel = array<i64: 3, 3>, strides = array<i64: 1, 1>, pads = array<i64: 0, 0, 0, 0>, dilations = array<i64: 1, 1>, group = 1 : i64, weight_scales = #nn.blob<"s", tensor<4xf64>>, weight_zero = 0 : i64, requant_m = #nn.blob<"m", tensor<4xi32>>, requant_s = #nn.blob<"r", tensor<4xui8>>, low = 7 : i64, high = 6 : i64, weight_bits = 8 : i64, activation_bits = 8 : i64} : tensor<1x3x8x8x!nn.quant<ui8, 0.5, 0>> -> tensor<1x4x6x6x!nn.quant<ui8, 0.5, 0>> loc("/layer"("model.onnx":3:0))
  func.return
}
// CHECK: model.onnx node #3 '/layer': nn.conv: clamp [7, 6] must be a range within [0, 255] of ui8

// -----

func.func @f(%x: tensor<1x3x8x8x!nn.quant<ui8, 0.5, 0>>) {
  %y = nn.conv %x weights #nn.blob<"w", tensor<4x3x3x3xi8>> {kernel = array<i64: 3, 3>, strides = array<i64: 1, 1>, pads = array<i64: 0, 0, 0, 0>, dilations = array<i64: 1, 1>, group = 1 : i64, weight_scales = #nn.blob<"s", tensor<4xf64>>, weight_zero = 0 : i64, requant_m = #nn.blob<"m", tensor<4xi32>>, requant_s = #nn.blob<"r", tensor<1xui8>>, low = 0 : i64, high = 255 : i64, weight_bits = 8 : i64, activation_bits = 8 : i64} : tensor<1x3x8x8x!nn.quant<ui8, 0.5, 0>> -> tensor<1x4x6x6x!nn.quant<ui8, 0.5, 0>> loc("/layer"("model.onnx":3:0))
  func.return
}
// CHECK: model.onnx node #3 '/layer': nn.conv: requant_s must have 4 values, one an output, got tensor<1xui8>

// -----

func.func @f(%x: tensor<1x3xf32>) {
  %y = nn.gemm %x weights #nn.blob<"w", tensor<4x5xf32>> : tensor<1x3xf32> -> tensor<1x4xf32> loc("/layer"("model.onnx":3:0))
  func.return
}
// CHECK: model.onnx node #3 '/layer': nn.gemm: expected weights of shape Ox3, got 4x5

// -----

func.func @f(%x: tensor<1x3xf32>) {
  %y = nn.gemm %x weights #nn.blob<"w", tensor<4x3xf32>> : tensor<1x3xf32> -> tensor<1x3xf32> loc("/layer"("model.onnx":3:0))
  func.return
}
// CHECK: model.onnx node #3 '/layer': nn.gemm: expected a result of shape 1x4, got 1x3

// -----

func.func @f(%x: tensor<1x3x8x8xf32>, %z: tensor<1x3x8x1xf32>) {
  %y = nn.add %x, %z  : tensor<1x3x8x8xf32>, tensor<1x3x8x1xf32> -> tensor<1x3x8x8xf32> loc("/layer"("model.onnx":3:0))
  func.return
}
// CHECK: model.onnx node #3 '/layer': nn.add: shapes differ: 1x3x8x8 and 1x3x8x1

// -----

func.func @f(%x: tensor<1x3x8x8xf32>) {
  %y = nn.add %x, %x  : tensor<1x3x8x8xf32>, tensor<1x3x8x8xf32> -> tensor<1x3xf32> loc("/layer"("model.onnx":3:0))
  func.return
}
// CHECK: model.onnx node #3 '/layer': nn.add: expected a result of shape 1x3x8x8, got 1x3

// -----

func.func @f(%x: tensor<1x3x8x8x!nn.quant<ui8, 0.5, 0>>) {
  %y = nn.add %x, %x  : tensor<1x3x8x8x!nn.quant<ui8, 0.5, 0>>, tensor<1x3x8x8x!nn.quant<ui8, 0.5, 0>> -> tensor<1x3x8x8x!nn.quant<ui8, 1.0, 0>> loc("/layer"("model.onnx":3:0))
  func.return
}
// CHECK: model.onnx node #3 '/layer': nn.add: quantised form lacks m0, m1, shift, low, high

// -----

func.func @f(%x: tensor<1x3x8x8x!nn.quant<ui8, 0.5, 0>>) {
  %y = nn.add %x, %x  : tensor<1x3x8x8x!nn.quant<ui8, 0.5, 0>>, tensor<1x3x8x8x!nn.quant<ui8, 0.5, 0>> -> tensor<1x3x8x8xf32> loc("/layer"("model.onnx":3:0))
  func.return
}
// CHECK: model.onnx node #3 '/layer': nn.add: operands and result must be all f32 or all quantised, got !nn.quant<ui8, 5.000000e-01, 0>, !nn.quant<ui8, 5.000000e-01, 0>, f32

// -----

func.func @f(%x: tensor<1x3x8x8x!nn.quant<ui8, 0.5, 0>>) {
  %y = nn.add %x, %x {m0 = 1 : i64, m1 = 1 : i64, shift = 0 : i64, low = -1 : i64, high = 255 : i64} : tensor<1x3x8x8x!nn.quant<ui8, 0.5, 0>>, tensor<1x3x8x8x!nn.quant<ui8, 0.5, 0>> -> tensor<1x3x8x8x!nn.quant<ui8, 0.5, 0>> loc("/layer"("model.onnx":3:0))
  func.return
}
// CHECK: model.onnx node #3 '/layer': nn.add: clamp [-1, 255] must be a range within [0, 255] of ui8

// -----

func.func @f(%x: tensor<1x3x8x8xf32>) {
  %y = nn.max_pool %x {kernel = array<i64: 2, 2>, strides = array<i64: 2, 2>, pads = array<i64: 2, 0, 0, 0>} : tensor<1x3x8x8xf32> -> tensor<1x3x4x4xf32> loc("/layer"("model.onnx":3:0))
  func.return
}
// CHECK: model.onnx node #3 '/layer': nn.max_pool: pads [2, 0, 0, 0] must be smaller than the kernel [2, 2]

// -----

func.func @f(%x: tensor<1x3x8x8xf32>) {
  %y = nn.max_pool %x {kernel = array<i64: 2, 2>, strides = array<i64: 2, 2>, pads = array<i64: 0, 0, 0, 0>} : tensor<1x3x8x8xf32> -> tensor<1x3x5x5xf32> loc("/layer"("model.onnx":3:0))
  func.return
}
// CHECK: model.onnx node #3 '/layer': nn.max_pool: expected a result of shape 1x3x4x4, got 1x3x5x5

// -----

func.func @f(%x: tensor<1x3x8x8xf32>) {
  %y = nn.max_pool %x {kernel = array<i64: 2, 2>, strides = array<i64: 2, 2>, pads = array<i64: 0, 0, 0, 0>, m0 = 1 : i64, shift = 0 : i64, low = 0 : i64, high = 255 : i64} : tensor<1x3x8x8xf32> -> tensor<1x3x4x4xf32> loc("/layer"("model.onnx":3:0))
  func.return
}
// CHECK: model.onnx node #3 '/layer': nn.max_pool: float form must not have m0, shift, low, high

// -----

func.func @f(%x: tensor<1x3x8x8xf32>) {
  %y = nn.max_pool %x {kernel = array<i64: 9, 9>, strides = array<i64: 2, 2>, pads = array<i64: 0, 0, 0, 0>} : tensor<1x3x8x8xf32> -> tensor<1x3x4x4xf32> loc("/layer"("model.onnx":3:0))
  func.return
}
// CHECK: model.onnx node #3 '/layer': nn.max_pool: kernel does not fit: result would be 0x0

// -----

func.func @f(%x: tensor<1x3x8x8x!nn.quant<ui8, 0.5, 0>>) {
  %y = nn.max_pool %x {kernel = array<i64: 2, 2>, strides = array<i64: 2, 2>, pads = array<i64: 0, 0, 0, 0>, m0 = 1 : i64, shift = 0 : i64, low = 0 : i64, high = 255 : i64} : tensor<1x3x8x8x!nn.quant<ui8, 0.5, 0>> -> tensor<1x3x4x4x!nn.quant<ui8, 0.25, 0>> loc("/layer"("model.onnx":3:0))
  func.return
}
// CHECK: model.onnx node #3 '/layer': nn.max_pool: result must have the scale and zero point of the operand

// -----

func.func @f(%x: tensor<1x3x8x8x!nn.quant<ui8, 0.5, 0>>) {
  %y = nn.average_pool %x {kernel = array<i64: 2, 2>, strides = array<i64: 2, 2>, pads = array<i64: 1, 1, 1, 1>, count_include_pad = false, m0 = 1 : i64, shift = 0 : i64, low = 0 : i64, high = 255 : i64} : tensor<1x3x8x8x!nn.quant<ui8, 0.5, 0>> -> tensor<1x3x5x5x!nn.quant<ui8, 0.5, 0>> loc("/layer"("model.onnx":3:0))
  func.return
}
// CHECK: model.onnx node #3 '/layer': nn.average_pool: quantised form lacks divisors, factors, shifts

// -----

func.func @f(%x: tensor<1x3x8x8x!nn.quant<ui8, 0.5, 0>>) {
  %y = nn.average_pool %x {kernel = array<i64: 2, 2>, strides = array<i64: 2, 2>, pads = array<i64: 1, 1, 1, 1>, count_include_pad = false, m0 = 1 : i64, shift = 0 : i64, low = 0 : i64, high = 255 : i64, divisors = array<i64: 1, 4>, factors = array<i64: 4, 1>, shifts = array<i64: 2, 2>} : tensor<1x3x8x8x!nn.quant<ui8, 0.5, 0>> -> tensor<1x3x5x5x!nn.quant<ui8, 0.5, 0>> loc("/layer"("model.onnx":3:0))
  func.return
}
// CHECK: model.onnx node #3 '/layer': nn.average_pool: divisors lack [2]

// -----

func.func @f(%x: tensor<1x3x8x8xf32>) {
  %y = nn.average_pool %x {kernel = array<i64: 2, 2>, strides = array<i64: 2, 2>, pads = array<i64: 1, 1, 1, 1>, count_include_pad = false, divisors = array<i64: 1, 2, 4>} : tensor<1x3x8x8xf32> -> tensor<1x3x5x5xf32> loc("/layer"("model.onnx":3:0))
  func.return
}
// CHECK: model.onnx node #3 '/layer': nn.average_pool: float form must not have divisors

// -----

func.func @f(%x: tensor<1x3x8x8x!nn.quant<ui8, 0.5, 0>>) {
  %y = nn.average_pool %x {kernel = array<i64: 2, 2>, strides = array<i64: 2, 2>, pads = array<i64: 0, 0, 0, 0>, count_include_pad = true} : tensor<1x3x8x8x!nn.quant<ui8, 0.5, 0>> -> tensor<1x3x4x4x!nn.quant<ui8, 0.5, 0>> loc("/layer"("model.onnx":3:0))
  func.return
}
// CHECK: model.onnx node #3 '/layer': nn.average_pool: quantised form lacks m0, shift, low, high

// -----

func.func @f(%x: tensor<1x3x8x8xf32>) {
  %y = nn.global_average_pool %x  : tensor<1x3x8x8xf32> -> tensor<1x3xf32> loc("/layer"("model.onnx":3:0))
  func.return
}
// CHECK: model.onnx node #3 '/layer': nn.global_average_pool: expected a result of shape 1x3x1x1, got 1x3

// -----

func.func @f(%x: tensor<1x3x8x8xf32>) {
  %y = nn.batch_norm %x {scale = #nn.blob<"s", tensor<3xf32>>, bias = #nn.blob<"b", tensor<3xf32>>, mean = #nn.blob<"m", tensor<4xf32>>, variance = #nn.blob<"v", tensor<3xf32>>, epsilon = 1.0e-5 : f64} : tensor<1x3x8x8xf32> -> tensor<1x3x8x8xf32> loc("/layer"("model.onnx":3:0))
  func.return
}
// CHECK: model.onnx node #3 '/layer': nn.batch_norm: mean must have 3 values, got tensor<4xf32>

// -----

func.func @f(%x: tensor<1x3x8x8xf32>) {
  %y = nn.batch_norm %x {scale = #nn.blob<"s", tensor<3xf32>>, bias = #nn.blob<"b", tensor<3xf32>>, mean = #nn.blob<"m", tensor<3xf32>>, variance = #nn.blob<"v", tensor<3xf32>>, epsilon = 1.0e-5 : f64} : tensor<1x3x8x8xf32> -> tensor<1x3x8x4xf32> loc("/layer"("model.onnx":3:0))
  func.return
}
// CHECK: model.onnx node #3 '/layer': nn.batch_norm: result must have type tensor<1x3x8x8xf32>, got tensor<1x3x8x4xf32>

// -----

func.func @f(%x: tensor<1x3x8x8xf32>) {
  %y = nn.relu %x  : tensor<1x3x8x8xf32> -> tensor<1x3x64xf32> loc("/layer"("model.onnx":3:0))
  func.return
}
// CHECK: model.onnx node #3 '/layer': nn.relu: result must have type tensor<1x3x8x8xf32>, got tensor<1x3x64xf32>

// -----

func.func @f(%x: tensor<1x3x8x8xf32>) {
  %y = nn.clip %x {clip_min = 2.0 : f64, clip_max = 1.0 : f64} : tensor<1x3x8x8xf32> -> tensor<1x3x8x8xf32> loc("/layer"("model.onnx":3:0))
  func.return
}
// CHECK: model.onnx node #3 '/layer': nn.clip: clip_min 2.0 is above clip_max 1.0

// -----

func.func @f(%x: tensor<1x3x8x8xf32>) {
  %y = nn.pad %x {pads = array<i64: 1, 0, 0, 0>, value = 0.0 : f64} : tensor<1x3x8x8xf32> -> tensor<1x3x8x8xf32> loc("/layer"("model.onnx":3:0))
  func.return
}
// CHECK: model.onnx node #3 '/layer': nn.pad: expected a result of shape 1x3x9x8, got 1x3x8x8

// -----

func.func @f(%x: tensor<1x3x8x8xf32>) {
  %y = nn.flatten %x  : tensor<1x3x8x8xf32> -> tensor<1x3x64xf32> loc("/layer"("model.onnx":3:0))
  func.return
}
// CHECK: model.onnx node #3 '/layer': nn.flatten: expected a result of shape 1x192, got 1x3x64

// -----

func.func @f(%x: tensor<1x3x8x8x!nn.quant<ui8, 0.5, 0>>) {
  %y = nn.flatten %x  : tensor<1x3x8x8x!nn.quant<ui8, 0.5, 0>> -> tensor<1x192x!nn.quant<ui8, 0.25, 0>> loc("/layer"("model.onnx":3:0))
  func.return
}
// CHECK: model.onnx node #3 '/layer': nn.flatten: result must have the scale and zero point of the operand

// -----

func.func @f(%x: tensor<1x3x8x8xf32>) {
  %y = nn.quantize %x {low = 0 : i64, high = 255 : i64} : tensor<1x3x8x8xf32> -> tensor<1x3x8x8xf32> loc("/layer"("model.onnx":3:0))
  func.return
}
// CHECK: model.onnx node #3 '/layer': nn.quantize: expected f32 to quantised, got tensor<1x3x8x8xf32>, tensor<1x3x8x8xf32>

// -----

func.func @f(%x: tensor<1x3x8x8xf32>) {
  %y = nn.quantize %x {low = -5 : i64, high = 255 : i64} : tensor<1x3x8x8xf32> -> tensor<1x3x8x8x!nn.quant<ui8, 0.5, 0>> loc("/layer"("model.onnx":3:0))
  func.return
}
// CHECK: model.onnx node #3 '/layer': nn.quantize: clamp [-5, 255] must be a range within [0, 255] of ui8

// -----

func.func @f(%x: tensor<1x3x8x8x!nn.quant<ui8, 0.5, 0>>) {
  %y = nn.dequantize %x  : tensor<1x3x8x8x!nn.quant<ui8, 0.5, 0>> -> tensor<1x3x8x8x!nn.quant<ui8, 0.5, 0>> loc("/layer"("model.onnx":3:0))
  func.return
}
// CHECK: model.onnx node #3 '/layer': nn.dequantize: expected quantised to f32, got tensor<1x3x8x8x!nn.quant<ui8, 5.000000e-01, 0>>, tensor<1x3x8x8x!nn.quant<ui8, 5.000000e-01, 0>>

// -----

func.func @f(%x: tensor<1x!nn.quant<i8, 0.5, 0>>) {
  func.return
}
// CHECK: nn.quant: storage must be ui8 or si8, got i8

// -----

func.func @f(%x: tensor<1x!nn.quant<ui8, 0.0, 0>>) {
  func.return
}
// CHECK: nn.quant: scale must be finite and above 0, got 0.0

// -----

func.func @f(%x: tensor<1x!nn.quant<ui8, -1.0, 0>>) {
  func.return
}
// CHECK: nn.quant: scale must be finite and above 0, got -1.0

// -----

func.func @f(%x: tensor<1x!nn.quant<ui8, 0.5, 256>>) {
  func.return
}
// CHECK: nn.quant: zero point must be in [0, 255] of ui8, got 256

// -----

func.func @f(%x: tensor<1x!nn.quant<si8, 0.5, -129>>) {
  func.return
}
// CHECK: nn.quant: zero point must be in [-128, 127] of si8, got -129

// -----

func.func @f() attributes {w = #nn.blob<"k", tensor<?xf32>>} {
  func.return
}
// CHECK: nn.blob 'k' must have a static shape
