// RUN: cimc-opt %s | cimc-opt | filecheck %s
// RUN: cimc-opt %s --print-op-generic | cimc-opt | filecheck %s

func.func @main() {
  %x = cim.input {input_name = "x", scale = 0.5 : f64, low = 0 : i64, high = 255 : i64} : !cim.act<[4, 6, 8], ui8, 0, [0, 0, 0, 0]>
  %t = cim.table %x {source_op = "Tanh", table = #nn.blob<"t", tensor<256xui8>>, place = #cim.place<"buffer", 192>} : !cim.act<[4, 6, 8], ui8, 0, [0, 0, 0, 0]> -> !cim.act<[4, 6, 8], si8, 0, [0, 0, 0, 0]>
  %m = cim.mul %t, %x {source_op = "Mul", m0 = 3 : i64, shift = 4 : i64, low = -127 : i64, high = 127 : i64} : !cim.act<[4, 6, 8], si8, 0, [0, 0, 0, 0]>, !cim.act<[4, 6, 8], ui8, 0, [0, 0, 0, 0]> -> !cim.act<[4, 6, 8], si8, 0, [0, 0, 0, 0]>
  %c = cim.concat %t, %m {source_op = "Concat", m0 = array<i64: 1, 3>, shift = array<i64: 0, 2>, low = -127 : i64, high = 127 : i64} : !cim.act<[4, 6, 8], si8, 0, [0, 0, 0, 0]>, !cim.act<[4, 6, 8], si8, 0, [0, 0, 0, 0]> -> !cim.act<[4, 6, 16], si8, 0, [0, 0, 0, 0]>
  %s = cim.slice %c {source_op = "Slice", starts = array<i64: 1, 0, 4>, sizes = array<i64: 2, 3, 12>, steps = array<i64: 1, 2, 1>} : !cim.act<[4, 6, 16], si8, 0, [0, 0, 0, 0]> -> !cim.act<[2, 3, 12], si8, 0, [0, 0, 0, 0]>
  %r = cim.resize %s {source_op = "Resize", scale = array<i64: 2, 1>} : !cim.act<[2, 3, 12], si8, 0, [0, 0, 0, 0]> -> !cim.act<[4, 3, 12], si8, 0, [1, 1, 1, 1]>
  %h = cim.shuffle %r {source_op = "Shuffle", groups = 3 : i64} : !cim.act<[4, 3, 12], si8, 0, [1, 1, 1, 1]> -> !cim.act<[4, 3, 12], si8, 0, [0, 0, 0, 0]>
  %p = cim.pool %h {kind = "sum", kernel = array<i64: 2, 1>, strides = array<i64: 2, 1>, pads = array<i64: 0, 0, 0, 0>, dilations = array<i64: 1, 1>, m0 = 1 : i64, shift = 1 : i64, low = -127 : i64, high = 127 : i64, halo_value = 0 : i64, divisors = array<i64: 2>, factors = array<i64: 1>, shifts = array<i64: 1>, source_op = "AveragePool"} : !cim.act<[4, 3, 12], si8, 0, [0, 0, 0, 0]> -> !cim.act<[2, 3, 12], si8, 0, [0, 0, 0, 0]>
  %f = cim.flatten %p {source_op = "Flatten"} : !cim.act<[2, 3, 12], si8, 0, [0, 0, 0, 0]> -> !cim.act<[1, 1, 72], si8, 0, [0, 0, 0, 0]>
  cim.output %f {output_name = "y", scale = 0.25 : f64, shape = array<i64: 1, 72>} : !cim.act<[1, 1, 72], si8, 0, [0, 0, 0, 0]>
  func.return
}

// CHECK:      %t = cim.table %x {source_op = "Tanh", table = #nn.blob<"t", tensor<256xui8>>, place = #cim.place<"buffer", 192>} : !cim.act<[4, 6, 8], ui8, 0, [0, 0, 0, 0]> -> !cim.act<[4, 6, 8], si8, 0, [0, 0, 0, 0]>
// CHECK-NEXT: %m = cim.mul %t, %x {source_op = "Mul", m0 = 3 : i64, shift = 4 : i64, low = -127 : i64, high = 127 : i64}
// CHECK-NEXT: %c = cim.concat %t, %m {source_op = "Concat", m0 = array<i64: 1, 3>, shift = array<i64: 0, 2>, low = -127 : i64, high = 127 : i64}
// CHECK-NEXT: %s = cim.slice %c {source_op = "Slice", starts = array<i64: 1, 0, 4>, sizes = array<i64: 2, 3, 12>, steps = array<i64: 1, 2, 1>}
// CHECK-NEXT: %r = cim.resize %s {source_op = "Resize", scale = array<i64: 2, 1>}
// CHECK-NEXT: %h = cim.shuffle %r {source_op = "Shuffle", groups = 3 : i64}
// CHECK-NEXT: %p = cim.pool %h {{.*}}divisors = array<i64: 2>, factors = array<i64: 1>, shifts = array<i64: 1>
// CHECK-NEXT: %f = cim.flatten %p {source_op = "Flatten"}
