// RUN: cimc-opt %s -p "calibrate,assign-precision,assign-multiplier,quantise,predict-errors" > %t.with
// RUN: cimc-opt %s -p "calibrate,assign-precision,assign-multiplier,quantise" > %t.without
// RUN: diff %t.with %t.without

// The pass only notes figures for the report.
func.func @main(%x: tensor<1x2xf32>) -> tensor<1x2xf32> attributes {arg_names = ["image"], res_names = ["y"]} {
  %y = nn.gemm %x weights #nn.blob<"38af1223c44ebe98", tensor<2x2xf32>> : tensor<1x2xf32> -> tensor<1x2xf32>
  func.return %y : tensor<1x2xf32>
}
