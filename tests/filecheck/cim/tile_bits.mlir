// RUN: cimc-opt --allow-unregistered-dialect %s -p cim-tile | filecheck %s
// RUN: cimc-opt --allow-unregistered-dialect %s -p "cim-tile{packing=bytes pixels=1 wide=0}" | filecheck %s --check-prefix=PLAIN
// RUN: cimc-opt --allow-unregistered-dialect %s -p cim-tile | cimc-opt --allow-unregistered-dialect | filecheck %s

// 16 channels of 4 by 4 bits: two weights a lane, and four pixels on the 64 lanes of one cluster.
// 128 channels of 4 by 8 bits: only bytes are shared.
func.func @main() {
  %x = "test.op"() : () -> !cim.act<[8, 8, 16], ui8, 0, [1, 1, 1, 1]>
  %c = cim.conv %x {weights = #nn.blob<"w", tensor<16x3x3x16xi8>>, bias = #nn.blob<"b", tensor<16xi32>>, requant_m = #nn.blob<"m", tensor<16xi32>>, requant_s = #nn.blob<"s", tensor<16xi8>>, kernel = array<i64: 3, 3>, strides = array<i64: 1, 1>, pads = array<i64: 1, 1, 1, 1>, dilations = array<i64: 1, 1>, group = 1 : i64, low = 0 : i64, high = 255 : i64, weight_zero = 0 : i64, weight_bits = 4 : i64, activation_bits = 4 : i64, stored_bits = 3 : i64, broadcast_bits = 4 : i64, multiplier = "daism-pc3", source_op = "Conv"} : !cim.act<[8, 8, 16], ui8, 0, [1, 1, 1, 1]> -> !cim.act<[8, 8, 16], ui8, 0, [0, 0, 0, 0]>
  %d = cim.conv %x {weights = #nn.blob<"w", tensor<128x3x3x16xi8>>, bias = #nn.blob<"b", tensor<128xi32>>, requant_m = #nn.blob<"m", tensor<128xi32>>, requant_s = #nn.blob<"s", tensor<128xi8>>, kernel = array<i64: 3, 3>, strides = array<i64: 1, 1>, pads = array<i64: 1, 1, 1, 1>, dilations = array<i64: 1, 1>, group = 1 : i64, low = 0 : i64, high = 255 : i64, weight_zero = 0 : i64, weight_bits = 4 : i64, activation_bits = 8 : i64, stored_bits = 3 : i64, broadcast_bits = 8 : i64, multiplier = "daism-pc3", source_op = "Conv"} : !cim.act<[8, 8, 16], ui8, 0, [1, 1, 1, 1]> -> !cim.act<[8, 8, 128], ui8, 0, [0, 0, 0, 0]>
  func.return
}

// CHECK:       tensor<16x3x3x16xi8>{{.*}}tiling = #cim.tiling<[18], [8, 8], "lanes", 4, wide>
// CHECK:       tensor<128x3x3x16xi8>{{.*}}tiling = #cim.tiling<[18], [8, 8], "banks", 1>
// PLAIN:       tensor<16x3x3x16xi8>{{.*}}tiling = #cim.tiling<[18], [8, 8]>
// PLAIN:       tensor<128x3x3x16xi8>{{.*}}tiling = #cim.tiling<[18], [8, 8]>
