// RUN: cimc-opt %s | cimc-opt | filecheck %s
// RUN: cimc-opt %s --print-op-generic | cimc-opt | filecheck %s

func.func @main() {
  %x = cim.input {input_name = "x", scale = 0.5 : f64, low = -127 : i64, high = 127 : i64, place = #cim.place<"buffer", 4096>} : !cim.act<[8, 8, 3], si8, 0, [1, 1, 1, 1]>
  %c = cim.conv %x {weights = #nn.blob<"w", tensor<16x3x3x3xi8>>, bias = #nn.blob<"b", tensor<16xi32>>, requant_m = #nn.blob<"m", tensor<16xi32>>, requant_s = #nn.blob<"s", tensor<16xi8>>, kernel = array<i64: 3, 3>, strides = array<i64: 1, 1>, pads = array<i64: 1, 1, 1, 1>, dilations = array<i64: 1, 1>, group = 1 : i64, low = 0 : i64, high = 255 : i64, weight_zero = 0 : i64, weight_bits = 8 : i64, activation_bits = 8 : i64, stored_bits = 7 : i64, broadcast_bits = 7 : i64, multiplier = "daism-pc3-lj", source_op = "Conv", tiling = #cim.tiling<[5, 4], [4, 8]>, place = #cim.place<"dram", 0>, strips = #cim.strip<2, [-1, 64]>} : !cim.act<[8, 8, 3], si8, 0, [1, 1, 1, 1]> -> !cim.act<[8, 8, 16], ui8, 0, [0, 0, 0, 0]>
  %d = cim.depthwise %x {weights = #nn.blob<"w", tensor<3x3x3xi8>>, bias = #nn.blob<"b", tensor<3xi32>>, requant_m = #nn.blob<"m", tensor<3xi32>>, requant_s = #nn.blob<"s", tensor<3xi8>>, kernel = array<i64: 3, 3>, strides = array<i64: 2, 2>, pads = array<i64: 1, 1, 1, 1>, dilations = array<i64: 1, 1>, low = 0 : i64, high = 255 : i64, weight_zero = -3 : i64, weight_bits = 8 : i64, activation_bits = 8 : i64, source_op = "Conv", place = #cim.place<"dram", 0>} : !cim.act<[8, 8, 3], si8, 0, [1, 1, 1, 1]> -> !cim.act<[4, 4, 3], ui8, 0, [0, 0, 0, 0]>
  %p = cim.pool %c {kind = "sum", kernel = array<i64: 8, 8>, strides = array<i64: 1, 1>, pads = array<i64: 0, 0, 0, 0>, dilations = array<i64: 1, 1>, m0 = 16384 : i64, shift = 20 : i64, low = 0 : i64, high = 255 : i64, halo_value = 0 : i64, source_op = "GlobalAveragePool"} : !cim.act<[8, 8, 16], ui8, 0, [0, 0, 0, 0]> -> !cim.act<[1, 1, 16], ui8, 0, [0, 0, 0, 0]>
  %s = cim.add %p, %p {m0 = 3 : i64, m1 = -5 : i64, shift = 2 : i64, low = -127 : i64, high = 127 : i64, source_op = "Add", cycles = 40 : i64} : !cim.act<[1, 1, 16], ui8, 0, [0, 0, 0, 0]>, !cim.act<[1, 1, 16], ui8, 0, [0, 0, 0, 0]> -> !cim.act<[1, 1, 16], si8, 0, [0, 0, 0, 0]>
  cim.output %s {output_name = "y", scale = 0.25 : f64, shape = array<i64: 1, 16>} : !cim.act<[1, 1, 16], si8, 0, [0, 0, 0, 0]>
  func.return
}

// CHECK:       %x = cim.input {input_name = "x", scale = 5.000000e-01 : f64, low = -127 : i64, high = 127 : i64, place = #cim.place<"buffer", 4096>} : !cim.act<[8, 8, 3], si8, 0, [1, 1, 1, 1]>
// CHECK-NEXT:  %c = cim.conv %x {weights = #nn.blob<"w", tensor<16x3x3x3xi8>>
// CHECK-SAME:  tiling = #cim.tiling<[5, 4], [4, 8]>, place = #cim.place<"dram", 0>, strips = #cim.strip<2, [-1, 64]>
// CHECK-NEXT:  %d = cim.depthwise %x {weights = #nn.blob<"w", tensor<3x3x3xi8>>
// CHECK-SAME:  weight_zero = -3 : i64
// CHECK-SAME:  -> !cim.act<[4, 4, 3], ui8, 0, [0, 0, 0, 0]>
// CHECK-NEXT:  %p = cim.pool %c {kind = "sum"
// CHECK-NEXT:  %s = cim.add %p, %p {m0 = 3 : i64, m1 = -5 : i64
// CHECK-NEXT:  cim.output %s {output_name = "y", scale = 2.500000e-01 : f64, shape = array<i64: 1, 16>}
