// RUN: cimc-opt %s -p quantise | filecheck %s

// The same table whenever function and scales are the same; means of windows over the edge have a
// factor for every number of cells inside; the host's results are quantised where they are read.
func.func @main(%x: tensor<1x2x3x3xf32>) -> tensor<1x2x3x3xf32> attributes {arg_ranges = [array<f64: -127.0, 127.0>]} {
  %t = nn.unary %x {function = "LeakyRelu", alpha = 0.5 : f64, range = array<f64: -63.5, 127.0>} : tensor<1x2x3x3xf32> -> tensor<1x2x3x3xf32>
  %u = nn.unary %x {function = "LeakyRelu", alpha = 0.5 : f64, range = array<f64: -63.5, 127.0>} : tensor<1x2x3x3xf32> -> tensor<1x2x3x3xf32>
  %p = nn.average_pool %t {kernel = array<i64: 3, 3>, strides = array<i64: 1, 1>, pads = array<i64: 1, 1, 1, 1>, count_include_pad = false, range = array<f64: -127.0, 127.0>} : tensor<1x2x3x3xf32> -> tensor<1x2x3x3xf32>
  %h = nn.host %p model #nn.blob<"0", tensor<4xui8>> {nodes = "LRN", reason = "no unit", ranges = [array<f64: -254.0, 10.0>]} : (tensor<1x2x3x3xf32>) -> tensor<1x2x3x3xf32> loc("lrn"("m.onnx":7:0))
  %y = nn.add %h, %u {range = array<f64: -127.0, 127.0>} : tensor<1x2x3x3xf32>, tensor<1x2x3x3xf32> -> tensor<1x2x3x3xf32>
  func.return %y : tensor<1x2x3x3xf32>
}
// CHECK:      %t = nn.unary %0 {function = "LeakyRelu", {{.*}}, table = #nn.blob<"[[TABLE:[0-9a-f]+]]", tensor<256xui8>>}
// CHECK-NEXT: %u = nn.unary %0 {function = "LeakyRelu", {{.*}}, table = #nn.blob<"[[TABLE]]", tensor<256xui8>>}
// CHECK-NEXT: %p = nn.average_pool %t {{.*}}divisors = array<i64: 4, 6, 9>, factors = array<i64: 8388608, 11184811, 14913081>, shifts = array<i64: 25, 26, 27>
// CHECK-NEXT: %1 = nn.dequantize %p
// CHECK-NEXT: %h = nn.host %1 model #nn.blob<"0", tensor<4xui8>> {nodes = "LRN", reason = "no unit"} : (tensor<1x2x3x3xf32>) -> tensor<1x2x3x3xf32>
// CHECK-NEXT: %2 = nn.quantize %h {low = -127 : i64, high = 127 : i64} : {{.*}}!nn.quant<si8, 2.000000e+00, 0>>
// CHECK-NEXT: %y = nn.add %2, %u
