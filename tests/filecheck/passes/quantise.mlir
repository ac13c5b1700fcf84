// RUN: cimc-opt %s --split-input-file -p quantise | filecheck %s
// RUN: not cimc-opt %s --split-input-file -p "quantise{clip=max}" 2>&1 | filecheck %s --check-prefix CLIP

// CLIP: error: quantise: clip must be mse or minmax, got 'max'

func.func @main(%x: tensor<1x2x4x4xf32>) -> tensor<1x2x4x4xf32> attributes {arg_ranges = [array<f64: -1.0, 1.27>]} {
  %c = nn.conv %x weights #nn.blob<"8c6422d3af0c7047", tensor<2x1x1x1xf32>> {kernel = array<i64: 1, 1>, strides = array<i64: 1, 1>, pads = array<i64: 0, 0, 0, 0>, dilations = array<i64: 1, 1>, group = 2 : i64, activation = "relu", weight_bits = 4 : i64, activation_bits = 6 : i64, range = array<f64: 0.0, 5.1>} : tensor<1x2x4x4xf32> -> tensor<1x2x4x4xf32>
  %s = nn.add %c, %c {range = array<f64: -2.54, 10.0>} : tensor<1x2x4x4xf32>, tensor<1x2x4x4xf32> -> tensor<1x2x4x4xf32>
  func.return %s : tensor<1x2x4x4xf32>
}
// The input is read by a 6-bit layer: 31 codes on each side. Weights of 4 bits have 7.
// CHECK:      %[[X:.*]] = nn.quantize %x {low = -31 : i64, high = 31 : i64} : tensor<1x2x4x4xf32> -> tensor<1x2x4x4x!nn.quant<si8, 0.040967741935483873, 0>>
// CHECK-NEXT: %c = nn.conv %[[X]] weights #nn.blob<"{{[0-9a-f]+}}", tensor<2x1x1x1xi8>> bias #nn.blob<"{{[0-9a-f]+}}", tensor<2xi32>>
// CHECK-SAME:   weight_scales = #nn.blob<"{{[0-9a-f]+}}", tensor<2xf64>>, weight_zero = 0 : i64, requant_m = #nn.blob<"{{[0-9a-f]+}}", tensor<2xi32>>, requant_s = #nn.blob<"{{[0-9a-f]+}}", tensor<2xui8>>
// CHECK-SAME:   low = 0 : i64, high = 255 : i64}
// CHECK-SAME:   -> tensor<1x2x4x4x!nn.quant<ui8, 0.019999999999999997, 0>>
// Both factors of the sum are 0.02 / (10 / 127) of 2^25.
// CHECK-NEXT: %s = nn.add %c, %c {{.*}}m0 = 8522826 : i64, m1 = 8522826 : i64, shift = 25 : i64, low = -127 : i64, high = 127 : i64} : {{.*}} -> tensor<1x2x4x4x!nn.quant<si8, 0.07874015748031496, 0>>
// CHECK-NEXT: nn.dequantize %s : tensor<1x2x4x4x!nn.quant<si8, {{.*}}, 0>> -> tensor<1x2x4x4xf32>

// -----

func.func @main(%x: tensor<1x2x4x4xf32>) -> tensor<1x2xf32> attributes {arg_ranges = [array<f64: -1.0, 1.27>]} {
  %r = nn.clip %x {clip_min = -5.000000e-01 : f64, clip_max = 1.000000e+00 : f64, range = array<f64: -0.5, 1.0>} : tensor<1x2x4x4xf32> -> tensor<1x2x4x4xf32>
  %m = nn.max_pool %r {kernel = array<i64: 2, 2>, strides = array<i64: 2, 2>, pads = array<i64: 0, 0, 0, 0>} : tensor<1x2x4x4xf32> -> tensor<1x2x2x2xf32>
  %g = nn.global_average_pool %m {range = array<f64: -0.5, 0.635>} : tensor<1x2x2x2xf32> -> tensor<1x2x1x1xf32>
  %f = nn.flatten %g : tensor<1x2x1x1xf32> -> tensor<1x2xf32>
  %y = nn.gemm %f weights #nn.blob<"8066f70844f2eb8d", tensor<2x2xf32>> {range = array<f64: 0.0, 0.0>} : tensor<1x2xf32> -> tensor<1x2xf32>
  func.return %y : tensor<1x2xf32>
}
// A clip that nothing could take is a pool of one cell; an all-zero result gets the scale 1 / 255.
// CHECK:      nn.average_pool %{{.*}} {kernel = array<i64: 1, 1>{{.*}}m0 = 10653532 : i64, shift = 23 : i64, low = -64 : i64, high = 127 : i64} : {{.*}} -> tensor<1x2x4x4x!nn.quant<si8, 0.007874015748031496, 0>>
// CHECK-NEXT: nn.max_pool {{.*}}m0 = 1 : i64, shift = 0 : i64, low = -64 : i64, high = 127 : i64}
// The mean of 2 x 2 cells: 1 / 0.635 / 4.
// CHECK-NEXT: nn.global_average_pool {{.*}}m0 = 13210406 : i64, shift = 25 : i64
// CHECK-NEXT: nn.flatten {{.*}} -> tensor<1x2x!nn.quant<si8, 5.000000e-03, 0>>
// CHECK-NEXT: nn.gemm {{.*}}low = 0 : i64, high = 255 : i64} : {{.*}} -> tensor<1x2x!nn.quant<ui8, 0.0039215686274509803, 0>>

// -----

func.func @main(%x: tensor<1x2x4x4xf32>) -> tensor<1x2xf32> attributes {arg_ranges = [array<f64: -1.0, 1.27>]} {
  %g = nn.global_average_pool %x {range = array<f64: -0.5, 0.5>} : tensor<1x2x4x4xf32> -> tensor<1x2x1x1xf32>
  %f = nn.flatten %g : tensor<1x2x1x1xf32> -> tensor<1x2xf32>
  %y = nn.host %f model #nn.blob<"0", tensor<4xui8>> {nodes = "Softmax", reason = "no unit"} : (tensor<1x2xf32>) -> tensor<1x2xf32>
  func.return %y : tensor<1x2xf32>
}
// CHECK:      nn.flatten
// CHECK-NEXT: %[[Y:.*]] = nn.dequantize
// CHECK-NEXT: nn.host %[[Y]]

// -----

func.func @main(%x: tensor<1x2xf32>) -> tensor<1x2xf32> attributes {arg_ranges = [array<f64: -1.0, 1.27>]} {
  %r = nn.relu %x {range = array<f64: 0.0, 1.0>} : tensor<1x2xf32> -> tensor<1x2xf32>
  func.return %r : tensor<1x2xf32>
}
// A vector is clamped as a map of one pixel.
// CHECK:      %[[M:.*]] = nn.unflatten {{.*}} -> tensor<1x2x1x1x!nn.quant<si8, 1.000000e-02, 0>>
// CHECK-NEXT: %[[P:.*]] = nn.average_pool %[[M]] {{.*}}m0 = 10695475 : i64, shift = 22 : i64, low = 0 : i64, high = 255 : i64}
// CHECK-NEXT: %r = nn.flatten %[[P]]

// -----

// What arrived quantised stays; a float operation between takes the scale that its reader wants.
func.func @main(%x: tensor<1x2xf32>) -> tensor<1x2xf32> {
  %q = nn.quantize %x {low = 0 : i64, high = 255 : i64} : tensor<1x2xf32> -> tensor<1x2x!nn.quant<ui8, 5.000000e-01, 128>>
  %d = nn.dequantize %q : tensor<1x2x!nn.quant<ui8, 5.000000e-01, 128>> -> tensor<1x2xf32>
  %s = nn.add %d, %d {activation = "relu"} : tensor<1x2xf32>, tensor<1x2xf32> -> tensor<1x2xf32>
  %t = nn.quantize %s {low = 0 : i64, high = 255 : i64} : tensor<1x2xf32> -> tensor<1x2x!nn.quant<ui8, 1.000000e+00, 100>>
  %u = nn.quantize %d {low = 0 : i64, high = 255 : i64} : tensor<1x2xf32> -> tensor<1x2x!nn.quant<ui8, 1.000000e+00, 0>>
  %v = nn.add %t, %u {m0 = 1 : i64, m1 = 1 : i64, shift = 0 : i64, low = 0 : i64, high = 255 : i64} : tensor<1x2x!nn.quant<ui8, 1.000000e+00, 100>>, tensor<1x2x!nn.quant<ui8, 1.000000e+00, 0>> -> tensor<1x2x!nn.quant<ui8, 1.000000e+00, 0>>
  %y = nn.dequantize %v : tensor<1x2x!nn.quant<ui8, 1.000000e+00, 0>> -> tensor<1x2xf32>
  func.return %y : tensor<1x2xf32>
}
// CHECK:      %[[Q:.*]] = nn.quantize %x
// CHECK-NEXT: %[[S:.*]] = nn.add %[[Q]], %[[Q]] {m0 = 8388608 : i64, m1 = 8388608 : i64, shift = 24 : i64, low = 100 : i64, high = 255 : i64} {{.*}} -> tensor<1x2x!nn.quant<ui8, 1.000000e+00, 100>>
// CHECK-NEXT: nn.unflatten %[[Q]]
// CHECK-NEXT: nn.average_pool {{.*}}m0 = 8388608 : i64, shift = 24 : i64, low = 0 : i64, high = 255 : i64}
// CHECK-NEXT: %[[U:.*]] = nn.flatten
// CHECK-NEXT: %[[V:.*]] = nn.add %[[S]], %[[U]] {m0 = 1 : i64
// CHECK-NEXT: nn.dequantize %[[V]]
// CHECK-NEXT: func.return

// -----

// Scores that leave the network: twice the range that was seen, at both ends.
func.func @main(%x: tensor<1x2xf32>) -> tensor<1x2xf32> attributes {arg_ranges = [array<f64: 0.0, 1.0>]} {
  %y = nn.gemm %x weights #nn.blob<"8066f70844f2eb8d", tensor<2x2xf32>> {range = array<f64: -5.0, 20.5>} : tensor<1x2xf32> -> tensor<1x2xf32>
  func.return %y : tensor<1x2xf32>
}
// CHECK:      nn.gemm {{.*}}low = 0 : i64, high = 255 : i64} : {{.*}} -> tensor<1x2x!nn.quant<ui8, 2.000000e-01, 50>>

// -----

// The more images, the less room: a tenth for 240.
func.func @main(%x: tensor<1x2xf32>) -> tensor<1x2xf32> attributes {arg_ranges = [array<f64: 0.0, 1.0>], calibration_images = 240 : i64} {
  %y = nn.gemm %x weights #nn.blob<"8066f70844f2eb8d", tensor<2x2xf32>> {range = array<f64: -10.0, 41.0>} : tensor<1x2xf32> -> tensor<1x2xf32>
  func.return %y : tensor<1x2xf32>
}
// CHECK-NOT:  calibration_images
// CHECK:      nn.gemm {{.*}}low = 0 : i64, high = 255 : i64} : {{.*}} -> tensor<1x2x!nn.quant<ui8, {{0.22[0-9]+|2.2[0-9]+e-01}}, 50>>

// -----

// The machine reads them too: as every other tensor.
func.func @main(%x: tensor<1x2xf32>) -> (tensor<1x2xf32>, tensor<1x2xf32>) attributes {arg_ranges = [array<f64: 0.0, 1.0>]} {
  %y = nn.gemm %x weights #nn.blob<"8066f70844f2eb8d", tensor<2x2xf32>> {range = array<f64: -5.0, 12.7>} : tensor<1x2xf32> -> tensor<1x2xf32>
  %z = nn.gemm %y weights #nn.blob<"8066f70844f2eb8d", tensor<2x2xf32>> {activation = "relu", range = array<f64: 0.0, 5.1>} : tensor<1x2xf32> -> tensor<1x2xf32>
  func.return %y, %z : tensor<1x2xf32>, tensor<1x2xf32>
}
// CHECK:      nn.gemm {{.*}}low = -127 : i64, high = 127 : i64} : {{.*}} -> tensor<1x2x!nn.quant<si8, 0.099999999999999992, 0>>
// CHECK-NEXT: nn.gemm {{.*}}low = 0 : i64, high = 255 : i64} : {{.*}} -> tensor<1x2x!nn.quant<ui8, 0.039999999999999994, 0>>
