// RUN: cimc-opt --allow-unregistered-dialect %s -p cim-tile | filecheck %s
// RUN: cimc-opt --allow-unregistered-dialect %s -p "cim-tile{max-steps=10 max-pixels=100}" | filecheck %s --check-prefix=SMALL
// RUN: cimc-opt --allow-unregistered-dialect %s --target daism-small -p cim-tile | filecheck %s --check-prefix=CHIP

// 3x3 over 64 channels is 72 steps of 8 bytes; 12 rows a weight let half a bank of 512 rows hold 21.
func.func @main() {
  %x = "test.op"() : () -> !cim.act<[56, 56, 64], ui8, 0, [1, 1, 1, 1]>
  %c = cim.conv %x {weights = #nn.blob<"w", tensor<64x3x3x64xi8>>, bias = #nn.blob<"b", tensor<64xi32>>, requant_m = #nn.blob<"m", tensor<64xi32>>, requant_s = #nn.blob<"s", tensor<64xi8>>, kernel = array<i64: 3, 3>, strides = array<i64: 1, 1>, pads = array<i64: 1, 1, 1, 1>, dilations = array<i64: 1, 1>, group = 1 : i64, low = 0 : i64, high = 255 : i64, weight_zero = 0 : i64, weight_bits = 8 : i64, activation_bits = 8 : i64, stored_bits = 7 : i64, broadcast_bits = 8 : i64, multiplier = "daism-pc3", source_op = "Conv"} : !cim.act<[56, 56, 64], ui8, 0, [1, 1, 1, 1]> -> !cim.act<[56, 56, 64], ui8, 0, [0, 0, 0, 0]>
  %d = cim.conv %c {weights = #nn.blob<"w", tensor<64x1x1x64xi8>>, bias = #nn.blob<"b", tensor<64xi32>>, requant_m = #nn.blob<"m", tensor<64xi32>>, requant_s = #nn.blob<"s", tensor<64xi8>>, kernel = array<i64: 1, 1>, strides = array<i64: 1, 1>, pads = array<i64: 0, 0, 0, 0>, dilations = array<i64: 1, 1>, group = 1 : i64, low = 0 : i64, high = 255 : i64, weight_zero = 0 : i64, weight_bits = 8 : i64, activation_bits = 8 : i64, stored_bits = 7 : i64, broadcast_bits = 8 : i64, multiplier = "exact", source_op = "Conv"} : !cim.act<[56, 56, 64], ui8, 0, [0, 0, 0, 0]> -> !cim.act<[56, 56, 64], ui8, 0, [0, 0, 0, 0]>
  func.return
}

// CHECK:       "daism-pc3"{{.*}}tiling = #cim.tiling<[18, 18, 18, 18], [14, 56]>
// CHECK:       "exact"{{.*}}tiling = #cim.tiling<[8], [56, 56]>
// SMALL:       "daism-pc3"{{.*}}tiling = #cim.tiling<[9, 9, 9, 9, 9, 9, 9, 9], [1, 56]>
// SMALL:       "exact"{{.*}}tiling = #cim.tiling<[8], [56, 56]>
// CHIP:        "daism-pc3"{{.*}}tiling = #cim.tiling<[2, 2
// CHIP-SAME:   [4, 56], "bytes", 1, wide>
