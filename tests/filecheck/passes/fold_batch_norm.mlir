// RUN: cimc-opt %s -p fold-batch-norm --print-debuginfo | filecheck %s

func.func @into_conv(%x: tensor<1x2x4x4xf32>) -> tensor<1x2x4x4xf32> {
  %c = nn.conv %x weights #nn.blob<"8c6422d3af0c7047", tensor<2x1x1x1xf32>> {kernel = array<i64: 1, 1>, strides = array<i64: 1, 1>, pads = array<i64: 0, 0, 0, 0>, dilations = array<i64: 1, 1>, group = 2 : i64} : tensor<1x2x4x4xf32> -> tensor<1x2x4x4xf32> loc("conv"("m.onnx":3:0))
  %n = nn.batch_norm %c {scale = #nn.blob<"fb5672a502f80f25", tensor<2xf32>>, bias = #nn.blob<"fb5672a502f80f25", tensor<2xf32>>, mean = #nn.blob<"fb5672a502f80f25", tensor<2xf32>>, variance = #nn.blob<"7d5b5342ece588b8", tensor<2xf32>>, epsilon = 0.000000e+00 : f64} : tensor<1x2x4x4xf32> -> tensor<1x2x4x4xf32> loc("bn"("m.onnx":4:0))
  func.return %n : tensor<1x2x4x4xf32>
}
// The weights become 1 * [2], 2 * [-1], the bias 0.5 - 0.5 * 1, 4 - 4 * 2.
// CHECK-LABEL: @into_conv
// CHECK-NEXT:  nn.conv %x weights #nn.blob<"[[W:.*]]", tensor<2x1x1x1xf32>> bias #nn.blob<"[[B:.*]]", tensor<2xf32>> {{.*}} loc(fused["conv"("m.onnx":3:0), "bn"("m.onnx":4:0)])
// CHECK-NEXT:  func.return

func.func @twice(%x: tensor<1x2x4x4xf32>) -> tensor<1x2x4x4xf32> {
  %c = nn.conv %x weights #nn.blob<"8c6422d3af0c7047", tensor<2x1x1x1xf32>> {kernel = array<i64: 1, 1>, strides = array<i64: 1, 1>, pads = array<i64: 0, 0, 0, 0>, dilations = array<i64: 1, 1>, group = 2 : i64} : tensor<1x2x4x4xf32> -> tensor<1x2x4x4xf32>
  %n = nn.batch_norm %c {scale = #nn.blob<"fb5672a502f80f25", tensor<2xf32>>, bias = #nn.blob<"fb5672a502f80f25", tensor<2xf32>>, mean = #nn.blob<"fb5672a502f80f25", tensor<2xf32>>, variance = #nn.blob<"7d5b5342ece588b8", tensor<2xf32>>, epsilon = 0.000000e+00 : f64} : tensor<1x2x4x4xf32> -> tensor<1x2x4x4xf32>
  %m = nn.batch_norm %n {scale = #nn.blob<"fb5672a502f80f25", tensor<2xf32>>, bias = #nn.blob<"fb5672a502f80f25", tensor<2xf32>>, mean = #nn.blob<"fb5672a502f80f25", tensor<2xf32>>, variance = #nn.blob<"7d5b5342ece588b8", tensor<2xf32>>, epsilon = 0.000000e+00 : f64} : tensor<1x2x4x4xf32> -> tensor<1x2x4x4xf32>
  func.return %m : tensor<1x2x4x4xf32>
}
// CHECK-LABEL: @twice
// CHECK-NEXT:  nn.conv
// CHECK-NEXT:  func.return

func.func @into_gemm(%x: tensor<1x2xf32>) -> tensor<1x2xf32> {
  %g = nn.gemm %x weights #nn.blob<"38af1223c44ebe98", tensor<2x2xf32>> bias #nn.blob<"fb5672a502f80f25", tensor<2xf32>> : tensor<1x2xf32> -> tensor<1x2xf32>
  %n = nn.batch_norm %g {scale = #nn.blob<"fb5672a502f80f25", tensor<2xf32>>, bias = #nn.blob<"fb5672a502f80f25", tensor<2xf32>>, mean = #nn.blob<"fb5672a502f80f25", tensor<2xf32>>, variance = #nn.blob<"7d5b5342ece588b8", tensor<2xf32>>, epsilon = 0.000000e+00 : f64} : tensor<1x2xf32> -> tensor<1x2xf32>
  func.return %n : tensor<1x2xf32>
}
// CHECK-LABEL: @into_gemm
// CHECK-NEXT:  nn.gemm %x weights #nn.blob<"{{[0-9a-f]+}}", tensor<2x2xf32>> bias
// CHECK-NEXT:  func.return

func.func @conv_has_other_users(%x: tensor<1x2x4x4xf32>) -> tensor<1x2x4x4xf32> {
  %c = nn.conv %x weights #nn.blob<"8c6422d3af0c7047", tensor<2x1x1x1xf32>> {kernel = array<i64: 1, 1>, strides = array<i64: 1, 1>, pads = array<i64: 0, 0, 0, 0>, dilations = array<i64: 1, 1>, group = 2 : i64} : tensor<1x2x4x4xf32> -> tensor<1x2x4x4xf32>
  %n = nn.batch_norm %c {scale = #nn.blob<"fb5672a502f80f25", tensor<2xf32>>, bias = #nn.blob<"fb5672a502f80f25", tensor<2xf32>>, mean = #nn.blob<"fb5672a502f80f25", tensor<2xf32>>, variance = #nn.blob<"7d5b5342ece588b8", tensor<2xf32>>, epsilon = 0.000000e+00 : f64} : tensor<1x2x4x4xf32> -> tensor<1x2x4x4xf32>
  %s = nn.add %c, %n : tensor<1x2x4x4xf32>, tensor<1x2x4x4xf32> -> tensor<1x2x4x4xf32>
  func.return %s : tensor<1x2x4x4xf32>
}
// CHECK-LABEL: @conv_has_other_users
// CHECK-NEXT:  %c = nn.conv
// CHECK-NEXT:  %n = nn.conv %c weights #nn.blob<"{{[0-9a-f]+}}", tensor<2x1x1x1xf32>> bias #nn.blob<"{{[0-9a-f]+}}", tensor<2xf32>> {{.*}}group = 2 : i64
// CHECK-NEXT:  nn.add

func.func @behind_add(%x: tensor<1x2x4x4xf32>) -> tensor<1x2x4x4xf32> {
  %s = nn.add %x, %x : tensor<1x2x4x4xf32>, tensor<1x2x4x4xf32> -> tensor<1x2x4x4xf32>
  %n = nn.batch_norm %s {scale = #nn.blob<"fb5672a502f80f25", tensor<2xf32>>, bias = #nn.blob<"fb5672a502f80f25", tensor<2xf32>>, mean = #nn.blob<"fb5672a502f80f25", tensor<2xf32>>, variance = #nn.blob<"7d5b5342ece588b8", tensor<2xf32>>, epsilon = 0.000000e+00 : f64} : tensor<1x2x4x4xf32> -> tensor<1x2x4x4xf32> loc("bn"("m.onnx":7:0))
  func.return %n : tensor<1x2x4x4xf32>
}
// CHECK-LABEL: @behind_add
// CHECK-NEXT:  %s = nn.add
// CHECK-NEXT:  %n = nn.conv %s {{.*}}kernel = array<i64: 1, 1>{{.*}}group = 2 : i64{{.*}} loc("bn"("m.onnx":7:0))

func.func @behind_activation(%x: tensor<1x2x4x4xf32>) -> tensor<1x2x4x4xf32> {
  %c = nn.conv %x weights #nn.blob<"8c6422d3af0c7047", tensor<2x1x1x1xf32>> {kernel = array<i64: 1, 1>, strides = array<i64: 1, 1>, pads = array<i64: 0, 0, 0, 0>, dilations = array<i64: 1, 1>, group = 2 : i64, activation = "relu"} : tensor<1x2x4x4xf32> -> tensor<1x2x4x4xf32>
  %n = nn.batch_norm %c {scale = #nn.blob<"fb5672a502f80f25", tensor<2xf32>>, bias = #nn.blob<"fb5672a502f80f25", tensor<2xf32>>, mean = #nn.blob<"fb5672a502f80f25", tensor<2xf32>>, variance = #nn.blob<"7d5b5342ece588b8", tensor<2xf32>>, epsilon = 0.000000e+00 : f64} : tensor<1x2x4x4xf32> -> tensor<1x2x4x4xf32>
  func.return %n : tensor<1x2x4x4xf32>
}
// CHECK-LABEL: @behind_activation
// CHECK-NEXT:  %c = nn.conv
// CHECK-NEXT:  %n = nn.conv

func.func @vector(%x: tensor<1x2xf32>) -> tensor<1x2xf32> {
  %n = nn.batch_norm %x {scale = #nn.blob<"fb5672a502f80f25", tensor<2xf32>>, bias = #nn.blob<"fb5672a502f80f25", tensor<2xf32>>, mean = #nn.blob<"fb5672a502f80f25", tensor<2xf32>>, variance = #nn.blob<"7d5b5342ece588b8", tensor<2xf32>>, epsilon = 0.000000e+00 : f64} : tensor<1x2xf32> -> tensor<1x2xf32>
  func.return %n : tensor<1x2xf32>
}
// CHECK-LABEL: @vector
// CHECK-NEXT:  %n = nn.gemm %x weights #nn.blob<"{{[0-9a-f]+}}", tensor<2x2xf32>> bias
