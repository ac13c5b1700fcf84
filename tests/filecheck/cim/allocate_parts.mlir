// RUN: cimc-opt %s -p "cim-allocate{capacity=500}" | filecheck %s
// RUN: cimc-opt %s -p "cim-allocate{capacity=500}" | cimc-opt | filecheck %s

// One result of the mean reads all 1024 bytes, which come in four parts of two rows each.
func.func @main() {
  %x = cim.input {input_name = "x", scale = 1.0 : f64, low = 0 : i64, high = 255 : i64} : !cim.act<[8, 8, 16], ui8, 0, [0, 0, 0, 0]>
  %p = cim.pool %x {kind = "sum", kernel = array<i64: 8, 8>, strides = array<i64: 1, 1>, pads = array<i64: 0, 0, 0, 0>, dilations = array<i64: 1, 1>, m0 = 16384 : i64, shift = 20 : i64, low = 0 : i64, high = 255 : i64, halo_value = 0 : i64, source_op = "GlobalAveragePool"} : !cim.act<[8, 8, 16], ui8, 0, [0, 0, 0, 0]> -> !cim.act<[1, 1, 16], ui8, 0, [0, 0, 0, 0]>
  cim.output %p {output_name = "y", scale = 1.0 : f64, shape = array<i64: 1, 16, 1, 1>} : !cim.act<[1, 1, 16], ui8, 0, [0, 0, 0, 0]>
  func.return
}

// CHECK: cim.input {{.*}}place = #cim.place<"dram", 0>
// CHECK: %p = cim.pool %x {{.*}}strips = #cim.strip<1, [0, -1], 4>
