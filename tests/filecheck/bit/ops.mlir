// RUN: cimc-opt %s | cimc-opt | filecheck %s
// RUN: cimc-opt %s --print-op-generic | cimc-opt | filecheck %s
// RUN: cimc-opt %s --print-op-generic | filecheck %s --check-prefix GENERIC

hw.module @pc2_truncated(in %m stored_i: i4, in %n broadcast_i: i4, out product_o: i8) {
  %row = bit.row %m times 1 shl 1 cut 4 : i4 -> i8
  %row_1 = bit.row %m times 1 shl 2 cut 4 : i4 -> i8
  %row_2 = bit.row %m times 2 shl 2 cut 4 : i4 -> i8
  %row_3 = bit.row %m times 3 shl 2 cut 4 : i4 -> i8
  %lines = bit.decode %n pc 2 mask 15 first 1 : i4 -> i4
  %read = bit.read %lines[%row, %row_1, %row_2, %row_3] : i4 -> i8
  hw.output %read : i8
}

// CHECK:       hw.module @pc2_truncated(in %m stored_i: i4, in %n broadcast_i: i4, out product_o: i8) {
// CHECK-NEXT:    %row = bit.row %m times 1 shl 1 cut 4 : i4 -> i8
// CHECK-NEXT:    %row_1 = bit.row %m times 1 shl 2 cut 4 : i4 -> i8
// CHECK-NEXT:    %row_2 = bit.row %m times 2 shl 2 cut 4 : i4 -> i8
// CHECK-NEXT:    %row_3 = bit.row %m times 3 shl 2 cut 4 : i4 -> i8
// CHECK-NEXT:    %lines = bit.decode %n pc 2 mask 15 first 1 : i4 -> i4
// CHECK-NEXT:    %read = bit.read %lines[%row, %row_1, %row_2, %row_3] : i4 -> i8
// CHECK-NEXT:    hw.output %read : i8
// CHECK-NEXT:  }

// GENERIC:       %row = "bit.row"(%m) <{multiple = 1 : i64, shift = 1 : i64, cut = 4 : i64}> : (i4) -> i8
// GENERIC:       %lines = "bit.decode"(%n) <{pc_bits = 2 : i64, mask = 15 : i64, first_row = 1 : i64}> : (i4) -> i4
// GENERIC-NEXT:  %read = "bit.read"(%lines, %row, %row_1, %row_2, %row_3) : (i4, i8, i8, i8, i8) -> i8

hw.module @defaults(in %m stored_i: i1, in %n broadcast_i: i1, out product_o: i2) {
  %row = bit.row %m times 1 shl 0 {note = "kept"} : i1 -> i2
  %lines = bit.decode %n pc 1 mask 1 : i1 -> i1
  %read = bit.read %lines[%row] : i1 -> i2
  hw.output %read : i2
}

// CHECK:       hw.module @defaults(in %m stored_i: i1, in %n broadcast_i: i1, out product_o: i2) {
// CHECK-NEXT:    %row = bit.row %m times 1 shl 0 {note = "kept"} : i1 -> i2
// CHECK-NEXT:    %lines = bit.decode %n pc 1 mask 1 : i1 -> i1
// CHECK-NEXT:    %read = bit.read %lines[%row] : i1 -> i2

// GENERIC:       %row = "bit.row"(%m) <{multiple = 1 : i64, shift = 0 : i64, cut = 0 : i64}> {note = "kept"} : (i1) -> i2
// GENERIC-NEXT:  %lines = "bit.decode"(%n) <{pc_bits = 1 : i64, mask = 1 : i64, first_row = 0 : i64}> : (i1) -> i1
