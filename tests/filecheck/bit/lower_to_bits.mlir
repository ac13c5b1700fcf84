// RUN: cimc-opt %s -p lower-to-bits | filecheck %s
// RUN: cimc-opt %s -p lower-to-bits,lower-to-bits | filecheck %s

// Two uses of one multiplier at the same widths, one of another; any op may carry them.
func.func private @a() attributes {multiplier = "daism-hla", stored_bits = 2 : i64, broadcast_bits = 3 : i64}
func.func private @b() attributes {multiplier = "daism-hla", stored_bits = 2 : i64, broadcast_bits = 3 : i64}
func.func private @c() attributes {multiplier = "daism-fla-tr-lj", stored_bits = 3 : i64, broadcast_bits = 2 : i64}

// CHECK:       func.func private @c()
// CHECK-NEXT:    hw.module @cimc_mul_daism_fla_tr_lj_3x2(in %stored_i: i3, in %broadcast_i: i2, out product_o: i5) {
// CHECK-NEXT:      %row = bit.row %stored_i times 1 shl 1 cut 3 : i3 -> i5
// CHECK-NEXT:      %top = comb.extract %broadcast_i from 1 :  (i2) -> i1
// CHECK-NEXT:      %low = comb.extract %broadcast_i from 0 :  (i2) -> i1
// CHECK-NEXT:      %zero = hw.constant false
// CHECK-NEXT:      %empty = comb.icmp eq %top, %zero : i1
// CHECK-NEXT:      %zero_1 = hw.constant false
// CHECK-NEXT:      %moved = comb.concat %low, %zero_1 : i1, i1
// CHECK-NEXT:      %justified = comb.mux %empty, %moved, %broadcast_i : i2
// CHECK-NEXT:      %wordlines = bit.decode %justified pc 1 mask 3 first 1 : i2 -> i1
// CHECK-NEXT:      %read = bit.read %wordlines[%row] : i1 -> i5
// CHECK-NEXT:      %zero_2 = hw.constant 0 : i4
// CHECK-NEXT:      %amount = comb.concat %zero_2, %empty : i4, i1
// CHECK-NEXT:      %product = comb.shru %read, %amount : i5
// CHECK-NEXT:      hw.output %product : i5
// CHECK-NEXT:    }
// CHECK-NEXT:    hw.module @cimc_mul_daism_hla_2x3(in %stored_i: i2, in %broadcast_i: i3, out product_o: i5) {
// CHECK-NEXT:      %row = bit.row %stored_i times 1 shl 0 : i2 -> i5
// CHECK-NEXT:      %row_1 = bit.row %stored_i times 1 shl 1 : i2 -> i5
// CHECK-NEXT:      %row_2 = bit.row %stored_i times 1 shl 2 : i2 -> i5
// CHECK-NEXT:      %wordlines = bit.decode %broadcast_i pc 1 mask 5 : i3 -> i3
// CHECK-NEXT:      %read = bit.read %wordlines[%row, %row_1, %row_2] : i3 -> i5
// CHECK-NEXT:      %wordlines_1 = bit.decode %broadcast_i pc 1 mask 2 : i3 -> i3
// CHECK-NEXT:      %read_1 = bit.read %wordlines_1[%row, %row_1, %row_2] : i3 -> i5
// CHECK-NEXT:      %sum = comb.add %read, %read_1 : i5
// CHECK-NEXT:      hw.output %sum : i5
// CHECK-NEXT:    }
// CHECK-NEXT:  }
