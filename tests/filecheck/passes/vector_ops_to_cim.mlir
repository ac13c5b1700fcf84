// RUN: cimc-opt %s -p nn-to-cim | filecheck %s

// Slices name height, width, channel; a flattened map that is no matrix product's moves; a
// reshaped value has the halo of the convolution behind it.
func.func @main(%x: tensor<1x4x2x2xf32>) -> (tensor<1x4x1x1xf32>, tensor<1x2x4x4xf32>) attributes {arg_names = ["x"], res_names = ["y", "z"]} {
  %q = nn.quantize %x {low = 0 : i64, high = 255 : i64} : tensor<1x4x2x2xf32> -> tensor<1x4x2x2x!nn.quant<ui8, 0.5, 3>>
  %s = nn.slice %q {starts = array<i64: 2, 0, 1>, sizes = array<i64: 1, 2, 1>, steps = array<i64: 1, 1, 1>} : tensor<1x4x2x2x!nn.quant<ui8, 0.5, 3>> -> tensor<1x1x2x1x!nn.quant<ui8, 0.5, 3>>
  %f = nn.flatten %s : tensor<1x1x2x1x!nn.quant<ui8, 0.5, 3>> -> tensor<1x2x!nn.quant<ui8, 0.5, 3>>
  %c = nn.concat %f, %f {m0 = array<i64: 1, 2>, shift = array<i64: 0, 1>, low = 0 : i64, high = 255 : i64} : tensor<1x2x!nn.quant<ui8, 0.5, 3>>, tensor<1x2x!nn.quant<ui8, 0.5, 3>> -> tensor<1x4x!nn.quant<ui8, 0.5, 3>>
  %u = nn.unflatten %c : tensor<1x4x!nn.quant<ui8, 0.5, 3>> -> tensor<1x4x1x1x!nn.quant<ui8, 0.5, 3>>
  %p = nn.max_pool %u {kernel = array<i64: 2, 2>, strides = array<i64: 1, 1>, pads = array<i64: 1, 1, 0, 0>, m0 = 1 : i64, shift = 0 : i64, low = 0 : i64, high = 255 : i64} : tensor<1x4x1x1x!nn.quant<ui8, 0.5, 3>> -> tensor<1x4x1x1x!nn.quant<ui8, 0.5, 3>>
  %t = nn.unary %p {function = "Tanh", table = #nn.blob<"t", tensor<256xui8>>} : tensor<1x4x1x1x!nn.quant<ui8, 0.5, 3>> -> tensor<1x4x1x1x!nn.quant<ui8, 0.25, 0>>
  %m = nn.mul %q, %t {m0 = 5 : i64, shift = 4 : i64, low = 0 : i64, high = 255 : i64} : tensor<1x4x2x2x!nn.quant<ui8, 0.5, 3>>, tensor<1x4x1x1x!nn.quant<ui8, 0.25, 0>> -> tensor<1x4x2x2x!nn.quant<ui8, 0.5, 0>>
  %h = nn.shuffle %m {groups = 2 : i64} : tensor<1x4x2x2x!nn.quant<ui8, 0.5, 0>> -> tensor<1x4x2x2x!nn.quant<ui8, 0.5, 0>>
  %k = nn.slice %h {starts = array<i64: 0, 0, 0>, sizes = array<i64: 2, 2, 2>, steps = array<i64: 2, 1, 1>} : tensor<1x4x2x2x!nn.quant<ui8, 0.5, 0>> -> tensor<1x2x2x2x!nn.quant<ui8, 0.5, 0>>
  %r = nn.resize %k {scale = array<i64: 2, 2>} : tensor<1x2x2x2x!nn.quant<ui8, 0.5, 0>> -> tensor<1x2x4x4x!nn.quant<ui8, 0.5, 0>>
  %y = nn.dequantize %t : tensor<1x4x1x1x!nn.quant<ui8, 0.25, 0>> -> tensor<1x4x1x1xf32>
  %z = nn.dequantize %r : tensor<1x2x4x4x!nn.quant<ui8, 0.5, 0>> -> tensor<1x2x4x4xf32>
  func.return %y, %z : tensor<1x4x1x1xf32>, tensor<1x2x4x4xf32>
}
// CHECK:      %1 = cim.slice %0 {source_op = "Slice", starts = array<i64: 0, 1, 2>, sizes = array<i64: 2, 1, 1>, steps = array<i64: 1, 1, 1>} : {{.*}} -> !cim.act<[2, 1, 1], ui8, 3, [0, 0, 0, 0]>
// CHECK-NEXT: %2 = cim.flatten %1 {source_op = "Flatten"} : {{.*}} -> !cim.act<[1, 1, 2], ui8, 3, [0, 0, 0, 0]>
// CHECK-NEXT: %3 = cim.concat %2, %2 {source_op = "Concat", m0 = array<i64: 1, 2>, shift = array<i64: 0, 1>, low = 0 : i64, high = 255 : i64} : {{.*}} -> !cim.act<[1, 1, 4], ui8, 3, [1, 1, 0, 0]>
// CHECK-NEXT: %4 = cim.pool %3
// CHECK-NEXT: %5 = cim.table %4 {source_op = "Tanh", table = #nn.blob<"t", tensor<256xui8>>}
// CHECK-NEXT: %6 = cim.mul %0, %5 {source_op = "Mul", m0 = 5 : i64, shift = 4 : i64, low = 0 : i64, high = 255 : i64}
// CHECK-NEXT: %7 = cim.shuffle %6 {source_op = "Shuffle", groups = 2 : i64}
// CHECK-NEXT: %8 = cim.slice %7 {source_op = "Slice", starts = array<i64: 0, 0, 0>, sizes = array<i64: 2, 2, 2>, steps = array<i64: 1, 1, 2>}
// CHECK-NEXT: %9 = cim.resize %8 {source_op = "Resize", scale = array<i64: 2, 2>} : {{.*}} -> !cim.act<[4, 4, 2], ui8, 0, [0, 0, 0, 0]>
// CHECK-NEXT: cim.output %5 {output_name = "y"
// CHECK-NEXT: cim.output %9 {output_name = "z"
