// RUN: cimc-opt %s -p lower-to-bits --split-input-file --verify-diagnostics | filecheck %s

func.func private @a() attributes {multiplier = "daism-pc9", stored_bits = 7 : i64, broadcast_bits = 8 : i64}
// CHECK: func.func: unknown multiplier 'daism-pc9'; did you mean 'daism-pc4'?

// -----

func.func private @b() attributes {multiplier = "exact", broadcast_bits = 8 : i64}
// CHECK: func.func: has a multiplier but no integer stored_bits; run nn-to-cim first

// -----

func.func private @c() attributes {multiplier = "exact", stored_bits = 9 : i64, broadcast_bits = 8 : i64}
// CHECK: func.func: multiplier 'exact': stored_bits=9 is not in [1, 8]; choose a precision in that range
