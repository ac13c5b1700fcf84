// RUN: cimc-opt %s -p cim-allocate | filecheck %s
// RUN: cimc-opt %s -p "cim-allocate{capacity=9000}" | filecheck %s --check-prefix=TIGHT
// RUN: not cimc-opt %s -p "cim-allocate{capacity=600}" 2>&1 | filecheck %s --check-prefix=ERR

// A map's bytes are free again once its last reader is done: %d reuses the place of %x.
func.func @main() {
  %x = cim.input {input_name = "x", scale = 1.0 : f64, low = 0 : i64, high = 255 : i64} : !cim.act<[16, 16, 16], ui8, 0, [1, 1, 1, 1]>
  %c = cim.conv %x {weights = #nn.blob<"w", tensor<16x3x3x16xi8>>, bias = #nn.blob<"b", tensor<16xi32>>, requant_m = #nn.blob<"m", tensor<16xi32>>, requant_s = #nn.blob<"s", tensor<16xi8>>, kernel = array<i64: 3, 3>, strides = array<i64: 1, 1>, pads = array<i64: 1, 1, 1, 1>, dilations = array<i64: 1, 1>, group = 1 : i64, low = 0 : i64, high = 255 : i64, weight_zero = 0 : i64, weight_bits = 8 : i64, activation_bits = 8 : i64, stored_bits = 7 : i64, broadcast_bits = 8 : i64, multiplier = "daism-pc3", source_op = "Conv"} : !cim.act<[16, 16, 16], ui8, 0, [1, 1, 1, 1]> -> !cim.act<[16, 16, 16], ui8, 0, [0, 0, 0, 0]>
  %d = cim.conv %c {weights = #nn.blob<"w", tensor<16x1x1x16xi8>>, bias = #nn.blob<"b", tensor<16xi32>>, requant_m = #nn.blob<"m", tensor<16xi32>>, requant_s = #nn.blob<"s", tensor<16xi8>>, kernel = array<i64: 1, 1>, strides = array<i64: 1, 1>, pads = array<i64: 0, 0, 0, 0>, dilations = array<i64: 1, 1>, group = 1 : i64, low = 0 : i64, high = 255 : i64, weight_zero = 0 : i64, weight_bits = 8 : i64, activation_bits = 8 : i64, stored_bits = 7 : i64, broadcast_bits = 8 : i64, multiplier = "daism-pc3", source_op = "Conv"} : !cim.act<[16, 16, 16], ui8, 0, [0, 0, 0, 0]> -> !cim.act<[16, 16, 16], ui8, 0, [0, 0, 0, 0]> loc("/conv2/Conv"("net.onnx":7:0))
  cim.output %d {output_name = "y", scale = 1.0 : f64, shape = array<i64: 1, 16, 16, 16>} : !cim.act<[16, 16, 16], ui8, 0, [0, 0, 0, 0]>
  func.return
}

// CHECK:       cim.input {{.*}}place = #cim.place<"buffer", 0>
// CHECK:       %c = cim.conv %x {{.*}}place = #cim.place<"buffer", 5184>
// CHECK:       %d = cim.conv %c {{.*}}place = #cim.place<"buffer", 0>
// CHECK-NOT:   strips
// TIGHT:       cim.input {{.*}}place = #cim.place<"dram", 0>
// TIGHT:       %c = cim.conv %x {{.*}}strips = #cim.strip<
// ERR:         error: {{.*}}: one output row needs {{[0-9]+}} bytes of activation buffer, the target has 600 (activation_bytes); choose a target with a larger buffer
// ERR-NOT:     Traceback
