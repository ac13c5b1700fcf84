// RUN: cimc-opt %s --split-input-file -p fold-qdq --print-debuginfo | filecheck %s

func.func @main(%x: tensor<1x2x4x4xf32>) -> (tensor<1x2x4x4xf32>, tensor<1x32xf32>) {
  %q = nn.quantize %x {low = 0 : i64, high = 255 : i64} : tensor<1x2x4x4xf32> -> tensor<1x2x4x4x!nn.quant<ui8, 5.000000e-01, 128>>
  %d = nn.dequantize %q : tensor<1x2x4x4x!nn.quant<ui8, 5.000000e-01, 128>> -> tensor<1x2x4x4xf32>
  %c = nn.conv %d weights #nn.blob<"8c6422d3af0c7047", tensor<2x1x1x1xf32>> {kernel = array<i64: 1, 1>, strides = array<i64: 1, 1>, pads = array<i64: 0, 0, 0, 0>, dilations = array<i64: 1, 1>, group = 2 : i64, activation = "relu"} : tensor<1x2x4x4xf32> -> tensor<1x2x4x4xf32> loc("conv"("m.onnx":3:0))
  %e = nn.quantize %c {low = -128 : i64, high = 127 : i64} : tensor<1x2x4x4xf32> -> tensor<1x2x4x4x!nn.quant<si8, 2.500000e-01, -100>>
  %f = nn.dequantize %e : tensor<1x2x4x4x!nn.quant<si8, 2.500000e-01, -100>> -> tensor<1x2x4x4xf32>
  %m = nn.max_pool %f {kernel = array<i64: 2, 2>, strides = array<i64: 2, 2>, pads = array<i64: 0, 0, 0, 0>} : tensor<1x2x4x4xf32> -> tensor<1x2x2x2xf32>
  %n = nn.quantize %m {low = -128 : i64, high = 127 : i64} : tensor<1x2x2x2xf32> -> tensor<1x2x2x2x!nn.quant<si8, 2.500000e-01, -100>>
  %o = nn.dequantize %n : tensor<1x2x2x2x!nn.quant<si8, 2.500000e-01, -100>> -> tensor<1x2x2x2xf32>
  %p = nn.average_pool %o {kernel = array<i64: 1, 1>, strides = array<i64: 1, 1>, pads = array<i64: 0, 0, 0, 0>, count_include_pad = true} : tensor<1x2x2x2xf32> -> tensor<1x2x2x2xf32>
  %r = nn.flatten %f : tensor<1x2x4x4xf32> -> tensor<1x32xf32>
  %s = nn.add %f, %f : tensor<1x2x4x4xf32>, tensor<1x2x4x4xf32> -> tensor<1x2x4x4xf32>
  %t = nn.quantize %f {low = 0 : i64, high = 255 : i64} : tensor<1x2x4x4xf32> -> tensor<1x2x4x4x!nn.quant<ui8, 2.500000e-01, 0>>
  %u = nn.dequantize %t : tensor<1x2x4x4x!nn.quant<ui8, 2.500000e-01, 0>> -> tensor<1x2x4x4xf32>
  %v = nn.add %s, %u : tensor<1x2x4x4xf32>, tensor<1x2x4x4xf32> -> tensor<1x2x4x4xf32>
  func.return %v, %r : tensor<1x2x4x4xf32>, tensor<1x32xf32>
}
// Relu is the code of 0 and up.
// CHECK:      %q = nn.quantize %x
// CHECK-NEXT: %[[C:.*]] = nn.conv %q weights {{.*}} weight_zero = 0 : i64, {{.*}} low = -100 : i64, high = 127 : i64} : {{.*}} -> tensor<1x2x4x4x!nn.quant<si8, 2.500000e-01, -100>> loc("conv"("m.onnx":3:0))
// CHECK-NEXT: %[[D:.*]] = nn.dequantize %[[C]]
// CHECK-NEXT: nn.max_pool %[[C]] {{.*}}m0 = 1 : i64, shift = 0 : i64, low = -100 : i64, high = 127 : i64}
// CHECK:      %[[F:.*]] = nn.flatten %[[C]]
// CHECK-NEXT: %[[R:.*]] = nn.dequantize %[[F]]
// Nothing says what scale the sum has: it stays float.
// CHECK-NEXT: %s = nn.add %[[D]], %[[D]]
// The same real numbers as other codes.
// CHECK-NEXT: %[[T:.*]] = nn.average_pool %[[C]] {{.*}} low = 0 : i64, high = 255 : i64} : {{.*}} -> tensor<1x2x4x4x!nn.quant<ui8, 2.500000e-01, 0>>
// CHECK-NEXT: %[[U:.*]] = nn.dequantize %[[T]]
// CHECK-NEXT: nn.add %s, %[[U]]

// -----

// What the host computes does not become codes on its way out; the input of the machine does.
func.func @main(%x: tensor<1x2xf32>) -> (tensor<1x2xf32>, tensor<1x2xf32>) {
  %s = nn.host %x model #nn.blob<"0", tensor<4xui8>> {nodes = "Softmax", reason = "no unit"} : (tensor<1x2xf32>) -> tensor<1x2xf32>
  %q = nn.quantize %s {low = 0 : i64, high = 255 : i64} : tensor<1x2xf32> -> tensor<1x2x!nn.quant<ui8, 3.906250e-03, 0>>
  %d = nn.dequantize %q : tensor<1x2x!nn.quant<ui8, 3.906250e-03, 0>> -> tensor<1x2xf32>
  %r = nn.quantize %x {low = 0 : i64, high = 255 : i64} : tensor<1x2xf32> -> tensor<1x2x!nn.quant<ui8, 3.906250e-03, 0>>
  %e = nn.dequantize %r : tensor<1x2x!nn.quant<ui8, 3.906250e-03, 0>> -> tensor<1x2xf32>
  func.return %d, %e : tensor<1x2xf32>, tensor<1x2xf32>
}
// CHECK:      %s = nn.host %x
// CHECK-NEXT: %r = nn.quantize %x
// CHECK-NEXT: %e = nn.dequantize %r
// CHECK-NEXT: func.return %s, %e
