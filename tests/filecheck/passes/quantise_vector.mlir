// RUN: cimc-opt %s -p quantise | filecheck %s

// Products have the factor 0.5 * 0.25 / 1, differences a negative one, concatenated operands one
// each; what only moves keeps its type.
func.func @main(%x: tensor<1x4x2x2xf32>, %g: tensor<1x4x1x1xf32>) -> (tensor<1x12x2x2xf32>, tensor<1x4xf32>) attributes {arg_ranges = [array<f64: 0.0, 127.5>, array<f64: 0.0, 63.75>]} {
  %m = nn.mul %x, %g {range = array<f64: 0.0, 255.0>} : tensor<1x4x2x2xf32>, tensor<1x4x1x1xf32> -> tensor<1x4x2x2xf32>
  %s = nn.add %x, %g {negate_b, range = array<f64: -127.0, 127.0>} : tensor<1x4x2x2xf32>, tensor<1x4x1x1xf32> -> tensor<1x4x2x2xf32>
  %h = nn.shuffle %s {groups = 2 : i64} : tensor<1x4x2x2xf32> -> tensor<1x4x2x2xf32>
  %c = nn.concat %x, %m, %h {range = array<f64: -127.0, 255.0>} : tensor<1x4x2x2xf32>, tensor<1x4x2x2xf32>, tensor<1x4x2x2xf32> -> tensor<1x12x2x2xf32>
  %f = nn.slice %c {starts = array<i64: 0, 0, 0>, sizes = array<i64: 4, 1, 1>, steps = array<i64: 1, 1, 1>} : tensor<1x12x2x2xf32> -> tensor<1x4x1x1xf32>
  %v = nn.flatten %f : tensor<1x4x1x1xf32> -> tensor<1x4xf32>
  %r = nn.relu %v {range = array<f64: 0.0, 255.0>} : tensor<1x4xf32> -> tensor<1x4xf32>
  func.return %c, %r : tensor<1x12x2x2xf32>, tensor<1x4xf32>
}
// CHECK:      %m = nn.mul {{.*}}m0 = 8388608 : i64, shift = 26 : i64, low = 0 : i64, high = 255 : i64}
// CHECK-NEXT: %s = nn.add {{.*}}m0 = 8388608 : i64, m1 = -4194304 : i64, shift = 24 : i64, low = -127 : i64, high = 127 : i64}
// CHECK-NEXT: %h = nn.shuffle %s {groups = 2 : i64} : {{.*}} -> tensor<1x4x2x2x!nn.quant<si8, 1.000000e+00, 0>>
// CHECK-NEXT: %c = nn.concat %0, %m, %h {{.*}}m0 = array<i64: 16711423, 16711423, 16711423>, shift = array<i64: 26, 25, 25>, low = -127 : i64
// CHECK-NEXT: %f = nn.slice %c {starts = array<i64: 0, 0, 0>, sizes = array<i64: 4, 1, 1>, steps = array<i64: 1, 1, 1>} : {{.*}}!nn.quant<si8, 2.0078740157480315, 0>> -> tensor<1x4x1x1x!nn.quant<si8, 2.0078740157480315, 0>>
// CHECK-NEXT: %v = nn.flatten %f : {{.*}} -> tensor<1x4x!nn.quant<si8, 2.0078740157480315, 0>>
// CHECK-NEXT: nn.unflatten %v
// CHECK-NEXT: nn.average_pool
// CHECK-NEXT: %r = nn.flatten
// CHECK-NEXT: nn.dequantize %c
