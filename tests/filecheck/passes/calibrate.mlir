// RUN: cimc-opt %s -p "calibrate{images=2}" | filecheck %s

func.func @main(%x: tensor<1x2x4x4xf32>) -> tensor<1x2x2x2xf32> attributes {arg_names = ["image"], res_names = ["y"]} {
  %c = nn.conv %x weights #nn.blob<"8c6422d3af0c7047", tensor<2x1x1x1xf32>> {kernel = array<i64: 1, 1>, strides = array<i64: 1, 1>, pads = array<i64: 0, 0, 0, 0>, dilations = array<i64: 1, 1>, group = 2 : i64, activation = "clip", clip_min = -1.250000e-01 : f64, clip_max = 2.500000e-01 : f64} : tensor<1x2x4x4xf32> -> tensor<1x2x4x4xf32>
  %m = nn.max_pool %c {kernel = array<i64: 2, 2>, strides = array<i64: 2, 2>, pads = array<i64: 0, 0, 0, 0>} : tensor<1x2x4x4xf32> -> tensor<1x2x2x2xf32>
  func.return %m : tensor<1x2x2x2xf32>
}
// Noise without data; a pool has the range of its operand.
// CHECK:      arg_ranges = [array<f64: -{{.*}}>], arg_histograms = [#nn.blob<"{{[0-9a-f]+}}", tensor<4096xi64>>], calibration_images = 2 : i64
// CHECK:      nn.conv {{.*}}range = array<f64: -1.250000e-01, 2.500000e-01>, histogram = #nn.blob<"{{[0-9a-f]+}}", tensor<4096xi64>>
// CHECK-NEXT: nn.max_pool
// CHECK-NOT:  range
