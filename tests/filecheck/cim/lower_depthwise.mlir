// RUN: cimc-opt %s -p nn-to-cim | filecheck %s
// RUN: cimc-opt %s -p nn-to-cim,cim-tile,cim-allocate,cim-schedule,cim-estimate-cycles | filecheck %s --check-prefix=CYCLES

func.func @main(%x: tensor<1x2x4x4xf32>) -> tensor<1x2x4x4xf32> attributes {arg_names = ["image"], res_names = ["y"]} {
  %q = nn.quantize %x {low = -127 : i64, high = 127 : i64} : tensor<1x2x4x4xf32> -> tensor<1x2x4x4x!nn.quant<si8, 0.5, 0>>
  %a = nn.conv %q weights #nn.blob<"1a100a4cc1708586", tensor<2x1x3x3xi8>> bias #nn.blob<"a23b0d4c376e0169", tensor<2xi32>> {weight_scales = #nn.blob<"518dba7f9ff0b149", tensor<2xf64>>, weight_zero = 0 : i64, requant_m = #nn.blob<"d0f6ee33c2851ce9", tensor<2xi32>>, requant_s = #nn.blob<"5e7aed1f3f3be8b3", tensor<2xui8>>, low = 0 : i64, high = 255 : i64, weight_bits = 8 : i64, activation_bits = 8 : i64, multiplier = "exact", kernel = array<i64: 3, 3>, strides = array<i64: 1, 1>, pads = array<i64: 1, 1, 1, 1>, dilations = array<i64: 1, 1>, group = 2 : i64, activation = "relu"} : tensor<1x2x4x4x!nn.quant<si8, 0.5, 0>> -> tensor<1x2x4x4x!nn.quant<ui8, 0.25, 0>> loc("vector"("net.onnx":0:0))
  %b = nn.conv %a weights #nn.blob<"1a100a4cc1708586", tensor<2x1x3x3xi8>> bias #nn.blob<"a23b0d4c376e0169", tensor<2xi32>> {weight_scales = #nn.blob<"518dba7f9ff0b149", tensor<2xf64>>, weight_zero = 0 : i64, requant_m = #nn.blob<"d0f6ee33c2851ce9", tensor<2xi32>>, requant_s = #nn.blob<"5e7aed1f3f3be8b3", tensor<2xui8>>, low = 0 : i64, high = 255 : i64, weight_bits = 8 : i64, activation_bits = 8 : i64, multiplier = "daism-pc3-lj", kernel = array<i64: 3, 3>, strides = array<i64: 1, 1>, pads = array<i64: 1, 1, 1, 1>, dilations = array<i64: 1, 1>, group = 2 : i64, activation = "relu"} : tensor<1x2x4x4x!nn.quant<ui8, 0.25, 0>> -> tensor<1x2x4x4x!nn.quant<ui8, 0.25, 0>> loc("approximate"("net.onnx":0:0))
  %c = nn.conv %b weights #nn.blob<"a95d6047d34c44b5", tensor<2x1x12x12xi8>> bias #nn.blob<"a23b0d4c376e0169", tensor<2xi32>> {weight_scales = #nn.blob<"518dba7f9ff0b149", tensor<2xf64>>, weight_zero = 0 : i64, requant_m = #nn.blob<"d0f6ee33c2851ce9", tensor<2xi32>>, requant_s = #nn.blob<"5e7aed1f3f3be8b3", tensor<2xui8>>, low = 0 : i64, high = 255 : i64, weight_bits = 8 : i64, activation_bits = 8 : i64, multiplier = "exact", kernel = array<i64: 12, 12>, strides = array<i64: 1, 1>, pads = array<i64: 6, 6, 5, 5>, dilations = array<i64: 1, 1>, group = 2 : i64, activation = "relu"} : tensor<1x2x4x4x!nn.quant<ui8, 0.25, 0>> -> tensor<1x2x4x4x!nn.quant<ui8, 0.25, 0>> loc("large"("net.onnx":0:0))
  %y = nn.dequantize %c : tensor<1x2x4x4x!nn.quant<ui8, 0.25, 0>> -> tensor<1x2x4x4xf32>
  func.return %y : tensor<1x2x4x4xf32>
}

// On the vector unit only with exact products and a kernel of at most half the tap memory.
// CHECK:       %1 = cim.depthwise %0 {{.*}}tensor<2x3x3xi8>>{{.*}}kernel = array<i64: 3, 3>{{.*}} -> !cim.act<[4, 4, 2], ui8, 0, [1, 1, 1, 1]>
// CHECK-NEXT:  %2 = cim.conv %1 {{.*}}tensor<2x3x3x1xi8>>{{.*}}group = 2 : i64{{.*}}multiplier = "daism-pc3-lj"
// CHECK-NEXT:  %3 = cim.conv %2 {{.*}}tensor<2x12x12x1xi8>>{{.*}}group = 2 : i64{{.*}}multiplier = "exact"
// CYCLES:      cim.depthwise {{.*}}cycles = {{[0-9]+}} : i64
