// RUN: cimc-opt %s -p assign-multiplier | filecheck %s
// RUN: cimc-opt %s -p "assign-multiplier{multiplier=\"daism-fla\"}" | filecheck %s --check-prefix FLA
// RUN: cimc-opt %s -p "assign-multiplier{exact-front=2}" | filecheck %s --check-prefix FRONT
// RUN: not cimc-opt %s -p "assign-multiplier{exact-front=-1}" 2>&1 | filecheck %s --check-prefix LESS
// RUN: not cimc-opt %s -p "assign-multiplier{multiplier=\"daism-fal\"}" 2>&1 | filecheck %s --check-prefix TYPO

func.func @main(%x: tensor<1x2x4x4xf32>) -> tensor<1x2xf32> {
  %c = nn.conv %x weights #nn.blob<"8c6422d3af0c7047", tensor<2x1x1x1xf32>> {kernel = array<i64: 1, 1>, strides = array<i64: 1, 1>, pads = array<i64: 0, 0, 0, 0>, dilations = array<i64: 1, 1>, group = 2 : i64} : tensor<1x2x4x4xf32> -> tensor<1x2x4x4xf32> loc("conv"("m.onnx":3:0))
  %g = nn.global_average_pool %c : tensor<1x2x4x4xf32> -> tensor<1x2x1x1xf32>
  %f = nn.flatten %g : tensor<1x2x1x1xf32> -> tensor<1x2xf32>
  %y = nn.gemm %f weights #nn.blob<"38af1223c44ebe98", tensor<2x2xf32>> : tensor<1x2xf32> -> tensor<1x2xf32> loc("fc"("m.onnx":4:0))
  func.return %y : tensor<1x2xf32>
}
// The convolution is depthwise, so it gets the multiplier of the vector unit.
// CHECK:      nn.conv {{.*}}multiplier = "exact"
// CHECK:      nn.gemm {{.*}}multiplier = "daism-pc3-lj"
// FLA:        nn.conv {{.*}}multiplier = "exact"
// FLA:        nn.gemm {{.*}}multiplier = "daism-fla"
// FRONT:      nn.conv {{.*}}multiplier = "exact"
// FRONT:      nn.gemm {{.*}}multiplier = "exact"
// LESS:       error: assign-multiplier: exact_front must not be negative
// TYPO:       error: unknown multiplier 'daism-fal'; did you mean 'daism-fla'?
