// RUN: cimc-opt %s -p choose-plan | filecheck %s
// RUN: not cimc-opt %s -p "calibrate,choose-plan{min-snr=20.0}" 2>&1 | filecheck %s --check-prefix NOISE
// RUN: not cimc-opt %s -p "choose-plan{repair=all}" 2>&1 | filecheck %s --check-prefix LEVEL
// RUN: not cimc-opt %s -p "choose-plan{minimise=area}" 2>&1 | filecheck %s --check-prefix COST

func.func @main(%x: tensor<1x2xf32>) -> tensor<1x2xf32> attributes {arg_names = ["image"], res_names = ["y"]} {
  %y = nn.gemm %x weights #nn.blob<"38af1223c44ebe98", tensor<2x2xf32>> : tensor<1x2xf32> -> tensor<1x2xf32>
  func.return %y : tensor<1x2xf32>
}
// Without a limit nothing is chosen, and the module never changes.
// CHECK:      nn.gemm %x weights #nn.blob<"38af1223c44ebe98", tensor<2x2xf32>> : tensor<1x2xf32> -> tensor<1x2xf32>
// NOISE: error: choose-plan: errors cannot be predicted without calibration data; give --calibration
// LEVEL: error: repair: 'all' is neither a level (none, gain, offsets, channels, weights) nor a step (gain, offset, channel-gain, upstream, rounding, descent)
// COST: error: choose-plan: minimise must be one of cycles, exact-macs, got 'area'
