// RUN: cimc-opt --allow-unregistered-dialect %s --split-input-file --verify-diagnostics | filecheck %s

%x = "test.op"() : () -> !cim.act<[8, 8, 3], si8, 0, [0, 1, 1, 1]>
%c = cim.conv %x {weights = #nn.blob<"w", tensor<16x3x3x3xi8>>, bias = #nn.blob<"b", tensor<16xi32>>, requant_m = #nn.blob<"m", tensor<16xi32>>, requant_s = #nn.blob<"s", tensor<16xi8>>, kernel = array<i64: 3, 3>, strides = array<i64: 1, 1>, pads = array<i64: 1, 1, 1, 1>, dilations = array<i64: 1, 1>, group = 1 : i64, low = 0 : i64, high = 255 : i64, weight_zero = 0 : i64, weight_bits = 8 : i64, activation_bits = 8 : i64, stored_bits = 7 : i64, broadcast_bits = 7 : i64, multiplier = "exact", source_op = "Conv"} : !cim.act<[8, 8, 3], si8, 0, [0, 1, 1, 1]> -> !cim.act<[8, 8, 16], ui8, 0, [0, 0, 0, 0]>  loc("/conv1/Conv"("net.onnx":3:0))

// CHECK: net.onnx node #3 '/conv1/Conv': cim.conv: pads (1, 1, 1, 1) exceed the halo (0, 1, 1, 1) of its input

// -----

%x = "test.op"() : () -> !cim.act<[8, 8, 4], si8, 0, [1, 1, 1, 1]>
%c = cim.conv %x {weights = #nn.blob<"w", tensor<16x3x3x3xi8>>, bias = #nn.blob<"b", tensor<16xi32>>, requant_m = #nn.blob<"m", tensor<16xi32>>, requant_s = #nn.blob<"s", tensor<16xi8>>, kernel = array<i64: 3, 3>, strides = array<i64: 1, 1>, pads = array<i64: 1, 1, 1, 1>, dilations = array<i64: 1, 1>, group = 1 : i64, low = 0 : i64, high = 255 : i64, weight_zero = 0 : i64, weight_bits = 8 : i64, activation_bits = 8 : i64, stored_bits = 7 : i64, broadcast_bits = 7 : i64, multiplier = "exact", source_op = "Conv"} : !cim.act<[8, 8, 4], si8, 0, [1, 1, 1, 1]> -> !cim.act<[8, 8, 16], ui8, 0, [0, 0, 0, 0]>

// CHECK: cim.conv: weights are 16x3x3x3 in 1 groups, but the map has 4 channels in and 16 out

// -----

%x = "test.op"() : () -> !cim.act<[8, 8, 3], si8, 0, [1, 1, 1, 1]>
%c = cim.conv %x {weights = #nn.blob<"w", tensor<16x3x3x3xi8>>, bias = #nn.blob<"b", tensor<15xi32>>, requant_m = #nn.blob<"m", tensor<16xi32>>, requant_s = #nn.blob<"s", tensor<16xi8>>, kernel = array<i64: 3, 3>, strides = array<i64: 1, 1>, pads = array<i64: 1, 1, 1, 1>, dilations = array<i64: 1, 1>, group = 1 : i64, low = 0 : i64, high = 255 : i64, weight_zero = 0 : i64, weight_bits = 8 : i64, activation_bits = 8 : i64, stored_bits = 7 : i64, broadcast_bits = 7 : i64, multiplier = "exact", source_op = "Conv"} : !cim.act<[8, 8, 3], si8, 0, [1, 1, 1, 1]> -> !cim.act<[8, 8, 16], ui8, 0, [0, 0, 0, 0]>

// CHECK: cim.conv: bias must have 16 elements

// -----

%x = "test.op"() : () -> !cim.act<[8, 8, 3], si8, 0, [1, 1, 1, 1]>
%c = cim.conv %x {weights = #nn.blob<"w", tensor<16x3x3x3xi8>>, bias = #nn.blob<"b", tensor<16xi32>>, requant_m = #nn.blob<"m", tensor<16xi32>>, requant_s = #nn.blob<"s", tensor<16xi8>>, kernel = array<i64: 1, 3>, strides = array<i64: 1, 1>, pads = array<i64: 1, 1, 1, 1>, dilations = array<i64: 1, 1>, group = 1 : i64, low = 0 : i64, high = 255 : i64, weight_zero = 0 : i64, weight_bits = 8 : i64, activation_bits = 8 : i64, stored_bits = 7 : i64, broadcast_bits = 7 : i64, multiplier = "exact", source_op = "Conv"} : !cim.act<[8, 8, 3], si8, 0, [1, 1, 1, 1]> -> !cim.act<[8, 8, 16], ui8, 0, [0, 0, 0, 0]>

// CHECK: cim.conv: kernel (1, 3) differs from weights 3x3

// -----

%x = "test.op"() : () -> !cim.act<[8, 8, 16], ui8, 0, [0, 0, 0, 0]>
%p = cim.pool %x {kind = "max", kernel = array<i64: 2, 2>, strides = array<i64: 2, 2>, pads = array<i64: 0, 0, 0, 0>, dilations = array<i64: 1, 1>, m0 = 1 : i64, shift = 0 : i64, low = 0 : i64, high = 255 : i64, halo_value = 0 : i64, source_op = "MaxPool"} : !cim.act<[8, 8, 16], ui8, 0, [0, 0, 0, 0]> -> !cim.act<[4, 3, 16], ui8, 0, [0, 0, 0, 0]>

// CHECK: cim.pool: output is 4x3, expected (4, 4)

// -----

%x = "test.op"() : () -> !cim.act<[8, 8, 16], ui8, 0, [0, 0, 0, 0]>
%p = cim.pool %x {kind = "median", kernel = array<i64: 2, 2>, strides = array<i64: 2, 2>, pads = array<i64: 0, 0, 0, 0>, dilations = array<i64: 1, 1>, m0 = 1 : i64, shift = 0 : i64, low = 0 : i64, high = 255 : i64, halo_value = 0 : i64, source_op = "MaxPool"} : !cim.act<[8, 8, 16], ui8, 0, [0, 0, 0, 0]> -> !cim.act<[4, 4, 16], ui8, 0, [0, 0, 0, 0]>

// CHECK: cim.pool: kind must be max or sum, not 'median'

// -----

%a = "test.op"() : () -> !cim.act<[8, 8, 16], ui8, 0, [0, 0, 0, 0]>
%b = "test.op"() : () -> !cim.act<[8, 4, 16], ui8, 0, [0, 0, 0, 0]>
%s = cim.add %a, %b {m0 = 3 : i64, m1 = 5 : i64, shift = 2 : i64, low = 0 : i64, high = 255 : i64, source_op = "Add"} : !cim.act<[8, 8, 16], ui8, 0, [0, 0, 0, 0]>, !cim.act<[8, 4, 16], ui8, 0, [0, 0, 0, 0]> -> !cim.act<[8, 8, 16], ui8, 0, [0, 0, 0, 0]>

// CHECK: cim.add: shapes differ: (8, 8, 16), (8, 4, 16), (8, 8, 16)

// -----

%x = "test.op"() : () -> !cim.act<[8, 0, 16], ui8, 0, [0, 0, 0, 0]>

// CHECK: cim.act needs three positive sizes: height, width, channels

// -----

"test.op"() {tiling = #cim.tiling<[4, 0], [2, 2]>} : () -> ()

// CHECK: cim.tiling needs at least one tile of at least one step

// -----

"test.op"() {place = #cim.place<"flash", 0>} : () -> ()

// CHECK: cim.place knows buffer and dram, not 'flash'

// -----

%x = "test.op"() : () -> !cim.act<[8, 8, 4], si8, 0, [1, 1, 1, 1]>
%d = cim.depthwise %x {weights = #nn.blob<"w", tensor<3x3x3xi8>>, bias = #nn.blob<"b", tensor<3xi32>>, requant_m = #nn.blob<"m", tensor<3xi32>>, requant_s = #nn.blob<"s", tensor<3xi8>>, kernel = array<i64: 3, 3>, strides = array<i64: 2, 2>, pads = array<i64: 1, 1, 1, 1>, dilations = array<i64: 1, 1>, low = 0 : i64, high = 255 : i64, weight_zero = 0 : i64, weight_bits = 8 : i64, activation_bits = 8 : i64, source_op = "Conv"} : !cim.act<[8, 8, 4], si8, 0, [1, 1, 1, 1]> -> !cim.act<[4, 4, 3], ui8, 0, [0, 0, 0, 0]>

// CHECK: cim.depthwise: weights have 3 channels, the map 4 in and 3 out

// -----

%x = "test.op"() : () -> !cim.act<[8, 8, 3], si8, 0, [1, 1, 1, 1]>
%d = cim.depthwise %x {weights = #nn.blob<"w", tensor<3x3x3xi8>>, bias = #nn.blob<"b", tensor<3xi32>>, requant_m = #nn.blob<"m", tensor<3xi32>>, requant_s = #nn.blob<"s", tensor<3xi8>>, kernel = array<i64: 1, 3>, strides = array<i64: 2, 2>, pads = array<i64: 1, 1, 1, 1>, dilations = array<i64: 1, 1>, low = 0 : i64, high = 255 : i64, weight_zero = 0 : i64, weight_bits = 8 : i64, activation_bits = 8 : i64, source_op = "Conv"} : !cim.act<[8, 8, 3], si8, 0, [1, 1, 1, 1]> -> !cim.act<[4, 4, 3], ui8, 0, [0, 0, 0, 0]>

// CHECK: cim.depthwise: kernel (1, 3) differs from weights 3x3

// -----

%x = "test.op"() : () -> !cim.act<[8, 8, 3], si8, 0, [1, 1, 1, 1]>
%d = cim.depthwise %x {weights = #nn.blob<"w", tensor<3x3x3xi8>>, bias = #nn.blob<"b", tensor<3xi32>>, requant_m = #nn.blob<"m", tensor<3xi32>>, requant_s = #nn.blob<"s", tensor<3xi8>>, kernel = array<i64: 3, 3>, strides = array<i64: 2, 2>, pads = array<i64: 1, 1, 1, 1>, dilations = array<i64: 1, 1>, low = 0 : i64, high = 255 : i64, weight_zero = 0 : i64, weight_bits = 8 : i64, activation_bits = 8 : i64, source_op = "Conv"} : !cim.act<[8, 8, 3], si8, 0, [1, 1, 1, 1]> -> !cim.act<[5, 4, 3], ui8, 0, [0, 0, 0, 0]>

// CHECK: cim.depthwise: output is 5x4, expected (4, 4)

// -----

%x = "test.op"() : () -> !cim.act<[8, 8, 3], si8, 0, [1, 0, 1, 1]>
%d = cim.depthwise %x {weights = #nn.blob<"w", tensor<3x3x3xi8>>, bias = #nn.blob<"b", tensor<3xi32>>, requant_m = #nn.blob<"m", tensor<3xi32>>, requant_s = #nn.blob<"s", tensor<3xi8>>, kernel = array<i64: 3, 3>, strides = array<i64: 2, 2>, pads = array<i64: 1, 1, 1, 1>, dilations = array<i64: 1, 1>, low = 0 : i64, high = 255 : i64, weight_zero = 0 : i64, weight_bits = 8 : i64, activation_bits = 8 : i64, source_op = "Conv"} : !cim.act<[8, 8, 3], si8, 0, [1, 0, 1, 1]> -> !cim.act<[4, 4, 3], ui8, 0, [0, 0, 0, 0]>

// CHECK: cim.depthwise: pads (1, 1, 1, 1) exceed the halo (1, 0, 1, 1) of its input

// -----

%x = "test.op"() : () -> !cim.act<[8, 8, 3], si8, 0, [1, 1, 1, 1]>
%d = cim.depthwise %x {weights = #nn.blob<"w", tensor<3x3x3xi8>>, bias = #nn.blob<"b", tensor<2xi32>>, requant_m = #nn.blob<"m", tensor<3xi32>>, requant_s = #nn.blob<"s", tensor<3xi8>>, kernel = array<i64: 3, 3>, strides = array<i64: 2, 2>, pads = array<i64: 1, 1, 1, 1>, dilations = array<i64: 1, 1>, low = 0 : i64, high = 255 : i64, weight_zero = 0 : i64, weight_bits = 8 : i64, activation_bits = 8 : i64, source_op = "Conv"} : !cim.act<[8, 8, 3], si8, 0, [1, 1, 1, 1]> -> !cim.act<[4, 4, 3], ui8, 0, [0, 0, 0, 0]>

// CHECK: cim.depthwise: bias must have 3 elements
