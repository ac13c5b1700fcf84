// RUN: cimc-opt %s -p lower-to-bits --split-input-file --verify-diagnostics | filecheck %s

"test.op"() {multiplier = "daism-pc9", stored_bits = 7 : i64, broadcast_bits = 8 : i64} : () -> ()
// CHECK: test.op: unknown multiplier 'daism-pc9'; did you mean 'daism-pc4'?

// -----

"test.op"() {multiplier = "exact", broadcast_bits = 8 : i64} : () -> ()
// CHECK: test.op: has a multiplier but no integer stored_bits; run nn-to-cim first

// -----

"test.op"() {multiplier = "exact", stored_bits = 9 : i64, broadcast_bits = 8 : i64} : () -> ()
// CHECK: test.op: multiplier 'exact': stored_bits=9 is not in [1, 8]; choose a precision in that range
