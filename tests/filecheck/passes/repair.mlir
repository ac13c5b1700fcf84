// RUN: cimc-opt %s -p "calibrate,assign-precision,assign-multiplier{multiplier=\"daism-fla\"},quantise,repair{level=channels}" | filecheck %s
// RUN: cimc-opt %s -p "calibrate,assign-precision,assign-multiplier{multiplier=\"daism-fla\"},quantise,repair{level=\"gain,offset,channel-gain,upstream\"}" | filecheck %s
// RUN: cimc-opt %s -p "calibrate,assign-precision,assign-multiplier{multiplier=\"daism-fla\"},quantise" | filecheck %s --check-prefix BEFORE
// RUN: cimc-opt %s -p "calibrate,assign-precision,assign-multiplier{multiplier=\"daism-fla\"},quantise,repair" | filecheck %s --check-prefix BEFORE
// RUN: not cimc-opt %s -p "calibrate,assign-precision,assign-multiplier{multiplier=\"daism-fla\"},quantise,repair{level=gain images=3}" 2>&1 | filecheck %s --check-prefix FEW
// RUN: not cimc-opt %s -p "repair{level=all}" 2>&1 | filecheck %s --check-prefix LEVEL

// FEW: error: repair: needs at least 4 calibration images, got 3
// LEVEL: error: repair: 'all' is neither a level (none, gain, offsets, channels, weights) nor a step (gain, offset, channel-gain, upstream, rounding, descent)

func.func @main(%x: tensor<1x2x4x4xf32>) -> tensor<1x2xf32> attributes {arg_names = ["image"], res_names = ["y"]} {
  %c = nn.conv %x weights #nn.blob<"8c6422d3af0c7047", tensor<2x1x1x1xf32>> {kernel = array<i64: 1, 1>, strides = array<i64: 1, 1>, pads = array<i64: 0, 0, 0, 0>, dilations = array<i64: 1, 1>, group = 2 : i64} : tensor<1x2x4x4xf32> -> tensor<1x2x4x4xf32>
  %d = nn.conv %c weights #nn.blob<"a51fa22c4278667a", tensor<2x2x1x1xf32>> {kernel = array<i64: 1, 1>, strides = array<i64: 1, 1>, pads = array<i64: 0, 0, 0, 0>, dilations = array<i64: 1, 1>, group = 1 : i64} : tensor<1x2x4x4xf32> -> tensor<1x2x4x4xf32>
  %g = nn.global_average_pool %d : tensor<1x2x4x4xf32> -> tensor<1x2x1x1xf32>
  %y = nn.flatten %g : tensor<1x2x1x1xf32> -> tensor<1x2xf32>
  func.return %y : tensor<1x2xf32>
}
// Only the scales change here; the depthwise convolution has the vector unit's exact multiplier.
// BEFORE:     nn.conv {{.*}}weight_scales = #nn.blob<"
// BEFORE:     nn.conv %c weights #nn.blob<"52969cabbb45aef3", tensor<2x2x1x1xi8>> {{.*}}weight_scales = #nn.blob<"4708506fd0c35bd4"
// CHECK:      nn.conv {{.*}}multiplier = "exact"
// CHECK:      nn.conv %c weights #nn.blob<"52969cabbb45aef3", tensor<2x2x1x1xi8>> bias #nn.blob<"{{[0-9a-f]+}}", tensor<2xi32>>
// CHECK-NOT:  weight_scales = #nn.blob<"4708506fd0c35bd4"
// CHECK-SAME: requant_m = #nn.blob<"{{[0-9a-f]+}}", tensor<2xi32>>, requant_s = #nn.blob<"{{[0-9a-f]+}}", tensor<2xui8>>, low = -127 : i64, high = 127 : i64}
