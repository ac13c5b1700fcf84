// RUN: cimc-opt %s -p nn-to-cim | filecheck %s
// RUN: cimc-opt %s -p nn-to-cim,cim-tile,cim-allocate,cim-schedule,cim-estimate-cycles | filecheck %s --check-prefix=CYCLES
// RUN: not cimc-opt %s -p nn-to-cim,cim-tile,cim-allocate,cim-estimate-cycles 2>&1 | filecheck %s --check-prefix=ORDER

func.func @main(%x: tensor<1x2x4x4xf32>) -> tensor<1x3xf32> attributes {arg_names = ["image"], res_names = ["scores"]} {
  %q = nn.quantize %x {low = -127 : i64, high = 127 : i64} : tensor<1x2x4x4xf32> -> tensor<1x2x4x4x!nn.quant<si8, 0.5, 0>>
  %c = nn.conv %q weights #nn.blob<"bf1996be9a263ce4", tensor<2x2x3x3xi8>> bias #nn.blob<"a23b0d4c376e0169", tensor<2xi32>> {weight_scales = #nn.blob<"518dba7f9ff0b149", tensor<2xf64>>, weight_zero = 0 : i64, requant_m = #nn.blob<"d0f6ee33c2851ce9", tensor<2xi32>>, requant_s = #nn.blob<"5e7aed1f3f3be8b3", tensor<2xui8>>, low = 0 : i64, high = 255 : i64, weight_bits = 8 : i64, activation_bits = 8 : i64, multiplier = "daism-pc3-lj", kernel = array<i64: 3, 3>, strides = array<i64: 1, 1>, pads = array<i64: 1, 1, 1, 1>, dilations = array<i64: 1, 1>, group = 1 : i64, activation = "relu"} : tensor<1x2x4x4x!nn.quant<si8, 0.5, 0>> -> tensor<1x2x4x4x!nn.quant<ui8, 0.25, 0>> loc("/conv/Conv"("net.onnx":0:0))
  %f = nn.flatten %c : tensor<1x2x4x4x!nn.quant<ui8, 0.25, 0>> -> tensor<1x32x!nn.quant<ui8, 0.25, 0>>
  %g = nn.gemm %f weights #nn.blob<"193a667913acc96f", tensor<3x32xi8>> bias #nn.blob<"f257bfbbf5efacd8", tensor<3xi32>> {weight_scales = #nn.blob<"f18b8c870331fe04", tensor<3xf64>>, weight_zero = 0 : i64, requant_m = #nn.blob<"2f2c0d1b2d9addeb", tensor<3xi32>>, requant_s = #nn.blob<"93fc9aacf086fb2b", tensor<3xui8>>, low = -127 : i64, high = 127 : i64, weight_bits = 8 : i64, activation_bits = 8 : i64, multiplier = "exact"} : tensor<1x32x!nn.quant<ui8, 0.25, 0>> -> tensor<1x3x!nn.quant<si8, 0.125, 0>>
  %y = nn.dequantize %g : tensor<1x3x!nn.quant<si8, 0.125, 0>> -> tensor<1x3xf32>
  func.return %y : tensor<1x3xf32>
}

// Weights become output, height, width, channel; the matrix product reads the whole 4x4x2 map.
// CHECK:       func.func @main() {
// CHECK-NEXT:  %0 = cim.input {input_name = "image", scale = 5.000000e-01 : f64, low = -127 : i64, high = 127 : i64} : !cim.act<[4, 4, 2], si8, 0, [1, 1, 1, 1]>
// CHECK-NEXT:  %1 = cim.conv %0 {{.*}}tensor<2x3x3x2xi8>>{{.*}}stored_bits = 7 : i64, broadcast_bits = 7 : i64, source_op = "Conv"} : {{.*}} -> !cim.act<[4, 4, 2], ui8, 0, [0, 0, 0, 0]>
// CHECK-NEXT:  %2 = cim.conv %1 {{.*}}tensor<3x4x4x2xi8>>{{.*}}stored_bits = 7 : i64, broadcast_bits = 8 : i64, source_op = "Gemm"} : {{.*}} -> !cim.act<[1, 1, 3], si8, 0, [0, 0, 0, 0]>
// CHECK-NEXT:  cim.output %2 {output_name = "scores", scale = 1.250000e-01 : f64, shape = array<i64: 1, 3>}
// CYCLES:      cim.input {{.*}}cycles = {{[0-9]+}} : i64
// CYCLES:      cim.conv {{.*}}cycles = {{[0-9]+}} : i64
// CYCLES:      cim.output {{.*}}cycles = {{[0-9]+}} : i64
// ORDER:       error: {{.*}}cim-schedule must run before cim-estimate-cycles
// ORDER-NOT:   Traceback
