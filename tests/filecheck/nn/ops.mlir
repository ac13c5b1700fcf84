// RUN: cimc-opt %s | cimc-opt | filecheck %s
// RUN: cimc-opt %s --print-op-generic | cimc-opt | filecheck %s
// RUN: cimc-opt %s --print-op-generic | filecheck %s --check-prefix GENERIC

func.func @float(%x: tensor<1x3x8x8xf32>) -> tensor<1x10xf32> {
  %pad = nn.pad %x {pads = array<i64: 0, 0, 1, 1>, value = 0.000000e+00 : f64} : tensor<1x3x8x8xf32> -> tensor<1x3x9x9xf32>
  %conv = nn.conv %pad weights #nn.blob<"w", tensor<4x3x3x3xf32>> {kernel = array<i64: 3, 3>, strides = array<i64: 1, 1>, pads = array<i64: 0, 0, 1, 1>, dilations = array<i64: 1, 1>, group = 1 : i64} : tensor<1x3x9x9xf32> -> tensor<1x4x8x8xf32>
  %norm = nn.batch_norm %conv {scale = #nn.blob<"s", tensor<4xf32>>, bias = #nn.blob<"b", tensor<4xf32>>, mean = #nn.blob<"m", tensor<4xf32>>, variance = #nn.blob<"v", tensor<4xf32>>, epsilon = 1.000000e-05 : f64} : tensor<1x4x8x8xf32> -> tensor<1x4x8x8xf32>
  %relu = nn.relu %norm : tensor<1x4x8x8xf32> -> tensor<1x4x8x8xf32>
  %clip = nn.clip %relu {clip_min = 0.000000e+00 : f64, clip_max = 6.000000e+00 : f64} : tensor<1x4x8x8xf32> -> tensor<1x4x8x8xf32>
  %depthwise = nn.conv %clip weights #nn.blob<"d", tensor<4x1x3x3xf32>> bias #nn.blob<"db", tensor<4xf32>> {kernel = array<i64: 3, 3>, strides = array<i64: 1, 1>, pads = array<i64: 1, 1, 1, 1>, dilations = array<i64: 1, 1>, group = 4 : i64, activation = "clip", clip_min = -1.000000e+00 : f64, clip_max = 1.000000e+00 : f64} : tensor<1x4x8x8xf32> -> tensor<1x4x8x8xf32>
  %sum = nn.add %clip, %depthwise {activation = "relu", range = array<f64: 0.000000e+00, 0.10000000000000001>, histogram = #nn.blob<"h", tensor<4096xi64>>} : tensor<1x4x8x8xf32>, tensor<1x4x8x8xf32> -> tensor<1x4x8x8xf32>
  %largest = nn.max_pool %sum {kernel = array<i64: 3, 3>, strides = array<i64: 2, 2>, pads = array<i64: 1, 1, 1, 1>} : tensor<1x4x8x8xf32> -> tensor<1x4x4x4xf32>
  %mean = nn.average_pool %largest {kernel = array<i64: 2, 2>, strides = array<i64: 2, 2>, pads = array<i64: 0, 0, 0, 0>, count_include_pad = false} : tensor<1x4x4x4xf32> -> tensor<1x4x2x2xf32>
  %global = nn.global_average_pool %mean : tensor<1x4x2x2xf32> -> tensor<1x4x1x1xf32>
  %flat = nn.flatten %global : tensor<1x4x1x1xf32> -> tensor<1x4xf32>
  %gemm = nn.gemm %flat weights #nn.blob<"g", tensor<10x4xf32>> bias #nn.blob<"gb", tensor<10xf32>> {weight_bits = 4 : i64, activation_bits = 8 : i64, multiplier = "exact"} : tensor<1x4xf32> -> tensor<1x10xf32>
  %softmax = nn.host %gemm model #nn.blob<"0", tensor<4xui8>> {nodes = "Softmax", reason = "no unit"} : (tensor<1x10xf32>) -> tensor<1x10xf32>
  func.return %softmax : tensor<1x10xf32>
}

func.func @quantised(%x: tensor<1x3x8x8xf32>) -> tensor<1x4xf32> attributes {arg_names = ["x"], res_names = ["y"]} {
  %codes = nn.quantize %x {low = -127 : i64, high = 127 : i64} : tensor<1x3x8x8xf32> -> tensor<1x3x8x8x!nn.quant<si8, 0.012345678901234567, 0>>
  %conv = nn.conv %codes weights #nn.blob<"w", tensor<4x3x3x3xi8>> bias #nn.blob<"b", tensor<4xi32>> {kernel = array<i64: 3, 3>, strides = array<i64: 2, 2>, pads = array<i64: 1, 1, 1, 1>, dilations = array<i64: 1, 1>, group = 1 : i64, low = 0 : i64, high = 255 : i64, weight_scales = #nn.blob<"s", tensor<4xf64>>, weight_zero = 0 : i64, requant_m = #nn.blob<"m", tensor<4xi32>>, requant_s = #nn.blob<"r", tensor<4xui8>>, weight_bits = 8 : i64, activation_bits = 8 : i64, multiplier = "daism-pc3-lj"} : tensor<1x3x8x8x!nn.quant<si8, 0.012345678901234567, 0>> -> tensor<1x4x4x4x!nn.quant<ui8, 5.000000e-02, 0>>
  %sum = nn.add %conv, %conv {m0 = 4194304 : i64, m1 = 4194304 : i64, shift = 23 : i64, low = 0 : i64, high = 255 : i64} : tensor<1x4x4x4x!nn.quant<ui8, 5.000000e-02, 0>>, tensor<1x4x4x4x!nn.quant<ui8, 5.000000e-02, 0>> -> tensor<1x4x4x4x!nn.quant<ui8, 1.000000e-01, 0>>
  %largest = nn.max_pool %sum {kernel = array<i64: 2, 2>, strides = array<i64: 2, 2>, pads = array<i64: 0, 0, 0, 0>, m0 = 1 : i64, shift = 0 : i64, low = 0 : i64, high = 255 : i64} : tensor<1x4x4x4x!nn.quant<ui8, 1.000000e-01, 0>> -> tensor<1x4x2x2x!nn.quant<ui8, 1.000000e-01, 0>>
  %mean = nn.average_pool %largest {kernel = array<i64: 1, 1>, strides = array<i64: 1, 1>, pads = array<i64: 0, 0, 0, 0>, count_include_pad = true, m0 = 8388608 : i64, shift = 23 : i64, low = 0 : i64, high = 200 : i64} : tensor<1x4x2x2x!nn.quant<ui8, 1.000000e-01, 0>> -> tensor<1x4x2x2x!nn.quant<ui8, 1.000000e-01, 0>>
  %global = nn.global_average_pool %mean {m0 = 8388608 : i64, shift = 25 : i64, low = 0 : i64, high = 255 : i64} : tensor<1x4x2x2x!nn.quant<ui8, 1.000000e-01, 0>> -> tensor<1x4x1x1x!nn.quant<ui8, 1.000000e-01, 3>>
  %flat = nn.flatten %global : tensor<1x4x1x1x!nn.quant<ui8, 1.000000e-01, 3>> -> tensor<1x4x!nn.quant<ui8, 1.000000e-01, 3>>
  %y = nn.dequantize %flat : tensor<1x4x!nn.quant<ui8, 1.000000e-01, 3>> -> tensor<1x4xf32>
  func.return %y : tensor<1x4xf32>
}

// CHECK:        func.func @float(%x: tensor<1x3x8x8xf32>) -> tensor<1x10xf32> {
// CHECK-NEXT:     %pad = nn.pad %x {pads = array<i64: 0, 0, 1, 1>, value = 0.000000e+00 : f64} : tensor<1x3x8x8xf32> -> tensor<1x3x9x9xf32>
// CHECK-NEXT:     %conv = nn.conv %pad weights #nn.blob<"w", tensor<4x3x3x3xf32>> {kernel = array<i64: 3, 3>, strides = array<i64: 1, 1>, pads = array<i64: 0, 0, 1, 1>, dilations = array<i64: 1, 1>, group = 1 : i64} : tensor<1x3x9x9xf32> -> tensor<1x4x8x8xf32>
// CHECK-NEXT:     %norm = nn.batch_norm %conv {scale = #nn.blob<"s", tensor<4xf32>>, bias = #nn.blob<"b", tensor<4xf32>>, mean = #nn.blob<"m", tensor<4xf32>>, variance = #nn.blob<"v", tensor<4xf32>>, epsilon = 1.000000e-05 : f64} : tensor<1x4x8x8xf32> -> tensor<1x4x8x8xf32>
// CHECK-NEXT:     %relu = nn.relu %norm : tensor<1x4x8x8xf32> -> tensor<1x4x8x8xf32>
// CHECK-NEXT:     %clip = nn.clip %relu {clip_min = 0.000000e+00 : f64, clip_max = 6.000000e+00 : f64} : tensor<1x4x8x8xf32> -> tensor<1x4x8x8xf32>
// CHECK-NEXT:     %depthwise = nn.conv %clip weights #nn.blob<"d", tensor<4x1x3x3xf32>> bias #nn.blob<"db", tensor<4xf32>> {kernel = array<i64: 3, 3>, strides = array<i64: 1, 1>, pads = array<i64: 1, 1, 1, 1>, dilations = array<i64: 1, 1>, group = 4 : i64, activation = "clip", clip_min = -1.000000e+00 : f64, clip_max = 1.000000e+00 : f64} : tensor<1x4x8x8xf32> -> tensor<1x4x8x8xf32>
// CHECK-NEXT:     %sum = nn.add %clip, %depthwise {activation = "relu", range = array<f64: 0.000000e+00, 1.000000e-01>, histogram = #nn.blob<"h", tensor<4096xi64>>} : tensor<1x4x8x8xf32>, tensor<1x4x8x8xf32> -> tensor<1x4x8x8xf32>
// CHECK-NEXT:     %largest = nn.max_pool %sum {kernel = array<i64: 3, 3>, strides = array<i64: 2, 2>, pads = array<i64: 1, 1, 1, 1>} : tensor<1x4x8x8xf32> -> tensor<1x4x4x4xf32>
// CHECK-NEXT:     %mean = nn.average_pool %largest {kernel = array<i64: 2, 2>, strides = array<i64: 2, 2>, pads = array<i64: 0, 0, 0, 0>, count_include_pad = false} : tensor<1x4x4x4xf32> -> tensor<1x4x2x2xf32>
// CHECK-NEXT:     %global = nn.global_average_pool %mean : tensor<1x4x2x2xf32> -> tensor<1x4x1x1xf32>
// CHECK-NEXT:     %flat = nn.flatten %global : tensor<1x4x1x1xf32> -> tensor<1x4xf32>
// CHECK-NEXT:     %gemm = nn.gemm %flat weights #nn.blob<"g", tensor<10x4xf32>> bias #nn.blob<"gb", tensor<10xf32>> {weight_bits = 4 : i64, activation_bits = 8 : i64, multiplier = "exact"} : tensor<1x4xf32> -> tensor<1x10xf32>
// CHECK-NEXT:     %softmax = nn.host %gemm model #nn.blob<"0", tensor<4xui8>> {nodes = "Softmax", reason = "no unit"} : (tensor<1x10xf32>) -> tensor<1x10xf32>
// CHECK-NEXT:     func.return %softmax : tensor<1x10xf32>
// CHECK:        func.func @quantised(%x: tensor<1x3x8x8xf32>) -> tensor<1x4xf32> attributes {arg_names = ["x"], res_names = ["y"]} {
// CHECK-NEXT:     %codes = nn.quantize %x {low = -127 : i64, high = 127 : i64} : tensor<1x3x8x8xf32> -> tensor<1x3x8x8x!nn.quant<si8, 0.012345678901234567, 0>>
// CHECK-NEXT:     %conv = nn.conv %codes weights #nn.blob<"w", tensor<4x3x3x3xi8>> bias #nn.blob<"b", tensor<4xi32>> {kernel = array<i64: 3, 3>, strides = array<i64: 2, 2>, pads = array<i64: 1, 1, 1, 1>, dilations = array<i64: 1, 1>, group = 1 : i64, low = 0 : i64, high = 255 : i64, weight_scales = #nn.blob<"s", tensor<4xf64>>, weight_zero = 0 : i64, requant_m = #nn.blob<"m", tensor<4xi32>>, requant_s = #nn.blob<"r", tensor<4xui8>>, weight_bits = 8 : i64, activation_bits = 8 : i64, multiplier = "daism-pc3-lj"} : tensor<1x3x8x8x!nn.quant<si8, 0.012345678901234567, 0>> -> tensor<1x4x4x4x!nn.quant<ui8, 5.000000e-02, 0>>
// CHECK-NEXT:     %sum = nn.add %conv, %conv {m0 = 4194304 : i64, m1 = 4194304 : i64, shift = 23 : i64, low = 0 : i64, high = 255 : i64} : tensor<1x4x4x4x!nn.quant<ui8, 5.000000e-02, 0>>, tensor<1x4x4x4x!nn.quant<ui8, 5.000000e-02, 0>> -> tensor<1x4x4x4x!nn.quant<ui8, 1.000000e-01, 0>>
// CHECK-NEXT:     %largest = nn.max_pool %sum {kernel = array<i64: 2, 2>, strides = array<i64: 2, 2>, pads = array<i64: 0, 0, 0, 0>, m0 = 1 : i64, shift = 0 : i64, low = 0 : i64, high = 255 : i64} : tensor<1x4x4x4x!nn.quant<ui8, 1.000000e-01, 0>> -> tensor<1x4x2x2x!nn.quant<ui8, 1.000000e-01, 0>>
// CHECK-NEXT:     %mean = nn.average_pool %largest {kernel = array<i64: 1, 1>, strides = array<i64: 1, 1>, pads = array<i64: 0, 0, 0, 0>, count_include_pad = true, m0 = 8388608 : i64, shift = 23 : i64, low = 0 : i64, high = 200 : i64} : tensor<1x4x2x2x!nn.quant<ui8, 1.000000e-01, 0>> -> tensor<1x4x2x2x!nn.quant<ui8, 1.000000e-01, 0>>
// CHECK-NEXT:     %global = nn.global_average_pool %mean {m0 = 8388608 : i64, shift = 25 : i64, low = 0 : i64, high = 255 : i64} : tensor<1x4x2x2x!nn.quant<ui8, 1.000000e-01, 0>> -> tensor<1x4x1x1x!nn.quant<ui8, 1.000000e-01, 3>>
// CHECK-NEXT:     %flat = nn.flatten %global : tensor<1x4x1x1x!nn.quant<ui8, 1.000000e-01, 3>> -> tensor<1x4x!nn.quant<ui8, 1.000000e-01, 3>>
// CHECK-NEXT:     %y = nn.dequantize %flat : tensor<1x4x!nn.quant<ui8, 1.000000e-01, 3>> -> tensor<1x4xf32>
// CHECK-NEXT:     func.return %y : tensor<1x4xf32>

// GENERIC: %conv = "nn.conv"(%codes) <{weights = #nn.blob<"w", tensor<4x3x3x3xi8>>, bias = #nn.blob<"b", tensor<4xi32>>, kernel = array<i64: 3, 3>,
