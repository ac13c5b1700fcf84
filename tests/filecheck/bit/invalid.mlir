// RUN: cimc-opt %s --split-input-file --verify-diagnostics | filecheck %s

hw.module @f(in %m stored_i: i4, out product_o: i8) {
  %row = bit.row %m times 3 shl 3 : i4 -> i8
  hw.output %row : i8
}
// CHECK: bit.row: 3 times a 4-bit operand shifted by 3 needs 9 columns, the lane has 8

// -----

hw.module @f(in %m stored_i: i4, out product_o: i8) {
  %row = bit.row %m times 0 shl 3 : i4 -> i8
  hw.output %row : i8
}
// CHECK: bit.row: needs multiple >= 1 and shift >= 0, got multiple 0, shift 3

// -----

hw.module @f(in %m stored_i: i4, out product_o: i8) {
  %row = bit.row %m times 1 shl 0 cut 8 : i4 -> i8
  hw.output %row : i8
}
// CHECK: bit.row: cut must be in [0, 8), got 8

// -----

hw.module @f(in %n broadcast_i: i4, out lines_o: i4) {
  %lines = bit.decode %n pc 5 mask 15 : i4 -> i4
  hw.output %lines : i4
}
// CHECK: bit.decode: pc must be in [1, 4], got 5

// -----

hw.module @f(in %n broadcast_i: i4, out lines_o: i4) {
  %lines = bit.decode %n pc 1 mask 16 : i4 -> i4
  hw.output %lines : i4
}
// CHECK: bit.decode: mask must be in [0, 15], got 16

// -----

hw.module @f(in %n broadcast_i: i4, out lines_o: i4) {
  %lines = bit.decode %n pc 3 mask 15 first 2 : i4 -> i4
  hw.output %lines : i4
}
// CHECK: bit.decode: first must be in [0, 1], got 2

// -----

hw.module @f(in %n broadcast_i: i4, out lines_o: i5) {
  %lines = bit.decode %n pc 2 mask 15 first 1 : i4 -> i5
  hw.output %lines : i5
}
// CHECK: bit.decode: decodes to 4 wordlines, the result has 5 bits

// -----

hw.module @f(in %m stored_i: i4, in %lines lines_i: i2, out product_o: i4) {
  %read = bit.read %lines[%m] : i2 -> i4
  hw.output %read : i4
}
// CHECK: bit.read: 2 wordlines drive 1 rows

// -----

hw.module @f(in %m stored_i: i4, in %lines lines_i: i1, out product_o: i5) {
  %read = "bit.read"(%lines, %m) : (i1, i4) -> i5
  hw.output %read : i5
}
// CHECK: attribute i4 expected from variable 'LANE', but got i5
