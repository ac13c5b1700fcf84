// RUN: cimc-opt %s -p canonicalise-nn --print-debuginfo | filecheck %s

func.func @relu_into_conv(%x: tensor<1x2x4x4xf32>) -> tensor<1x2x4x4xf32> {
  %c = nn.conv %x weights #nn.blob<"8c6422d3af0c7047", tensor<2x1x1x1xf32>> {kernel = array<i64: 1, 1>, strides = array<i64: 1, 1>, pads = array<i64: 0, 0, 0, 0>, dilations = array<i64: 1, 1>, group = 2 : i64} : tensor<1x2x4x4xf32> -> tensor<1x2x4x4xf32> loc("conv"("m.onnx":3:0))
  %r = nn.relu %c : tensor<1x2x4x4xf32> -> tensor<1x2x4x4xf32> loc("relu"("m.onnx":4:0))
  func.return %r : tensor<1x2x4x4xf32>
}
// CHECK-LABEL: @relu_into_conv
// CHECK-NEXT:  %r = nn.conv %x {{.*}}activation = "relu"{{.*}} loc(fused["conv"("m.onnx":3:0), "relu"("m.onnx":4:0)])
// CHECK-NEXT:  func.return

func.func @clip_into_add(%x: tensor<1x2x4x4xf32>) -> tensor<1x2x4x4xf32> {
  %s = nn.add %x, %x : tensor<1x2x4x4xf32>, tensor<1x2x4x4xf32> -> tensor<1x2x4x4xf32>
  %r = nn.clip %s {clip_min = 0.000000e+00 : f64, clip_max = 6.000000e+00 : f64} : tensor<1x2x4x4xf32> -> tensor<1x2x4x4xf32>
  func.return %r : tensor<1x2x4x4xf32>
}
// CHECK-LABEL: @clip_into_add
// CHECK-NEXT:  nn.add %x, %x {activation = "clip", clip_min = 0.000000e+00 : f64, clip_max = 6.000000e+00 : f64}
// CHECK-NEXT:  func.return

func.func @clamps_combine(%x: tensor<1x2x4x4xf32>) -> tensor<1x2x4x4xf32> {
  %c = nn.conv %x weights #nn.blob<"8c6422d3af0c7047", tensor<2x1x1x1xf32>> {kernel = array<i64: 1, 1>, strides = array<i64: 1, 1>, pads = array<i64: 0, 0, 0, 0>, dilations = array<i64: 1, 1>, group = 2 : i64} : tensor<1x2x4x4xf32> -> tensor<1x2x4x4xf32>
  %a = nn.clip %c {clip_min = -1.000000e+00 : f64, clip_max = 6.000000e+00 : f64} : tensor<1x2x4x4xf32> -> tensor<1x2x4x4xf32>
  %b = nn.clip %a {clip_min = 0.000000e+00 : f64, clip_max = 9.000000e+00 : f64} : tensor<1x2x4x4xf32> -> tensor<1x2x4x4xf32>
  func.return %b : tensor<1x2x4x4xf32>
}
// CHECK-LABEL: @clamps_combine
// CHECK-NEXT:  nn.conv %x {{.*}}activation = "clip", clip_min = 0.000000e+00 : f64, clip_max = 6.000000e+00 : f64
// CHECK-NEXT:  func.return

func.func @relu_before_pool(%x: tensor<1x2x4x4xf32>) -> tensor<1x2x2x2xf32> {
  %c = nn.conv %x weights #nn.blob<"8c6422d3af0c7047", tensor<2x1x1x1xf32>> {kernel = array<i64: 1, 1>, strides = array<i64: 1, 1>, pads = array<i64: 0, 0, 0, 0>, dilations = array<i64: 1, 1>, group = 2 : i64} : tensor<1x2x4x4xf32> -> tensor<1x2x4x4xf32>
  %m = nn.max_pool %c {kernel = array<i64: 2, 2>, strides = array<i64: 2, 2>, pads = array<i64: 0, 0, 0, 0>} : tensor<1x2x4x4xf32> -> tensor<1x2x2x2xf32>
  %r = nn.relu %m : tensor<1x2x2x2xf32> -> tensor<1x2x2x2xf32>
  func.return %r : tensor<1x2x2x2xf32>
}
// CHECK-LABEL: @relu_before_pool
// CHECK-NEXT:  nn.conv %x {{.*}}activation = "relu"
// CHECK-NEXT:  nn.max_pool
// CHECK-NEXT:  func.return

func.func @conv_has_other_users(%x: tensor<1x2x4x4xf32>) -> tensor<1x2x4x4xf32> {
  %c = nn.conv %x weights #nn.blob<"8c6422d3af0c7047", tensor<2x1x1x1xf32>> {kernel = array<i64: 1, 1>, strides = array<i64: 1, 1>, pads = array<i64: 0, 0, 0, 0>, dilations = array<i64: 1, 1>, group = 2 : i64} : tensor<1x2x4x4xf32> -> tensor<1x2x4x4xf32>
  %r = nn.relu %c : tensor<1x2x4x4xf32> -> tensor<1x2x4x4xf32>
  %s = nn.add %c, %r : tensor<1x2x4x4xf32>, tensor<1x2x4x4xf32> -> tensor<1x2x4x4xf32>
  func.return %s : tensor<1x2x4x4xf32>
}
// CHECK-LABEL: @conv_has_other_users
// CHECK-NEXT:  %c = nn.conv
// CHECK-NEXT:  %r = nn.relu %c
// CHECK-NEXT:  nn.add %c, %r

func.func @vector_is_computed_twice(%x: tensor<1x2xf32>) -> tensor<1x2xf32> {
  %g = nn.gemm %x weights #nn.blob<"38af1223c44ebe98", tensor<2x2xf32>> : tensor<1x2xf32> -> tensor<1x2xf32>
  %r = nn.relu %g : tensor<1x2xf32> -> tensor<1x2xf32>
  %s = nn.add %g, %r : tensor<1x2xf32>, tensor<1x2xf32> -> tensor<1x2xf32>
  func.return %s : tensor<1x2xf32>
}
// CHECK-LABEL: @vector_is_computed_twice
// CHECK-NEXT:  %g = nn.gemm %x {{[^{]*}} :
// CHECK-NEXT:  %r = nn.gemm %x {{.*}}activation = "relu"
// CHECK-NEXT:  nn.add %g, %r

func.func @pad_into_conv(%x: tensor<1x2x4x4xf32>) -> tensor<1x3x5x5xf32> {
  %p = nn.pad %x {pads = array<i64: 1, 1, 1, 1>, value = 0.0 : f64} : tensor<1x2x4x4xf32> -> tensor<1x2x6x6xf32>
  %y = nn.conv %p weights #nn.blob<"w", tensor<3x2x3x3xf32>> {kernel = array<i64: 3, 3>, strides = array<i64: 1, 1>, pads = array<i64: 0, 0, 1, 1>, dilations = array<i64: 1, 1>, group = 1 : i64} : tensor<1x2x6x6xf32> -> tensor<1x3x5x5xf32>
  func.return %y : tensor<1x3x5x5xf32>
}
// CHECK-LABEL: @pad_into_conv
// CHECK-NEXT:  nn.conv %x {{.*}}pads = array<i64: 1, 1, 2, 2>
// CHECK-NEXT:  func.return

func.func @pad_into_average(%x: tensor<1x2x4x4xf32>) -> tensor<1x2x3x3xf32> {
  %p = nn.pad %x {pads = array<i64: 1, 1, 1, 1>, value = 0.0 : f64} : tensor<1x2x4x4xf32> -> tensor<1x2x6x6xf32>
  %y = nn.average_pool %p {kernel = array<i64: 2, 2>, strides = array<i64: 2, 2>, pads = array<i64: 0, 0, 0, 0>, count_include_pad = false} : tensor<1x2x6x6xf32> -> tensor<1x2x3x3xf32>
  func.return %y : tensor<1x2x3x3xf32>
}
// CHECK-LABEL: @pad_into_average
// CHECK-NEXT:  nn.average_pool %x {{.*}}pads = array<i64: 1, 1, 1, 1>, count_include_pad = true
// CHECK-NEXT:  func.return

func.func @pad_into_max_of_positive(%x: tensor<1x2x4x4xf32>) -> tensor<1x2x3x3xf32> {
  %c = nn.conv %x weights #nn.blob<"8c6422d3af0c7047", tensor<2x1x1x1xf32>> {kernel = array<i64: 1, 1>, strides = array<i64: 1, 1>, pads = array<i64: 0, 0, 0, 0>, dilations = array<i64: 1, 1>, group = 2 : i64, activation = "relu"} : tensor<1x2x4x4xf32> -> tensor<1x2x4x4xf32>
  %p = nn.pad %c {pads = array<i64: 1, 1, 1, 1>, value = 0.0 : f64} : tensor<1x2x4x4xf32> -> tensor<1x2x6x6xf32>
  %y = nn.max_pool %p {kernel = array<i64: 2, 2>, strides = array<i64: 2, 2>, pads = array<i64: 0, 0, 0, 0>} : tensor<1x2x6x6xf32> -> tensor<1x2x3x3xf32>
  func.return %y : tensor<1x2x3x3xf32>
}
// CHECK-LABEL: @pad_into_max_of_positive
// CHECK:       nn.max_pool %c {{.*}}pads = array<i64: 1, 1, 1, 1>

func.func @pad_before_max_of_any(%x: tensor<1x2x4x4xf32>) -> tensor<1x2x3x3xf32> {
  %p = nn.pad %x {pads = array<i64: 1, 1, 1, 1>, value = 0.0 : f64} : tensor<1x2x4x4xf32> -> tensor<1x2x6x6xf32>
  %y = nn.max_pool %p {kernel = array<i64: 2, 2>, strides = array<i64: 2, 2>, pads = array<i64: 0, 0, 0, 0>} : tensor<1x2x6x6xf32> -> tensor<1x2x3x3xf32>
  func.return %y : tensor<1x2x3x3xf32>
}
// CHECK-LABEL: @pad_before_max_of_any
// CHECK-NEXT:  %p = nn.conv %x {{.*}}kernel = array<i64: 1, 1>{{.*}}pads = array<i64: 1, 1, 1, 1>{{.*}}group = 2 : i64
// CHECK-NEXT:  nn.max_pool %p

func.func @pools_of_one_cell(%x: tensor<1x2x4x4xf32>) -> tensor<1x2x4x4xf32> {
  %a = nn.max_pool %x {kernel = array<i64: 1, 1>, strides = array<i64: 1, 1>, pads = array<i64: 0, 0, 0, 0>} : tensor<1x2x4x4xf32> -> tensor<1x2x4x4xf32>
  %b = nn.average_pool %a {kernel = array<i64: 1, 1>, strides = array<i64: 1, 1>, pads = array<i64: 0, 0, 0, 0>, count_include_pad = false} : tensor<1x2x4x4xf32> -> tensor<1x2x4x4xf32>
  func.return %b : tensor<1x2x4x4xf32>
}
// CHECK-LABEL: @pools_of_one_cell
// CHECK-NEXT:  func.return %x
