// RUN: cimc-opt --allow-unregistered-dialect %s --split-input-file --verify-diagnostics | filecheck %s

%a = "test.op"() : () -> !cim.act<[4, 4, 8], ui8, 0, [0, 0, 0, 0]>
%y = cim.table %a {source_op = "X", table = #nn.blob<"t", tensor<128xui8>>} : !cim.act<[4, 4, 8], ui8, 0, [0, 0, 0, 0]> -> !cim.act<[4, 4, 8], ui8, 0, [0, 0, 0, 0]> loc("/n"("m.onnx":3:0))

// CHECK: m.onnx node #3 '/n': cim.table: table must be 256 values of ui8, got tensor<128xui8>

// -----

%a = "test.op"() : () -> !cim.act<[4, 4, 8], ui8, 0, [0, 0, 0, 0]>
%y = cim.table %a {source_op = "X", table = #nn.blob<"t", tensor<256xui8>>} : !cim.act<[4, 4, 8], ui8, 0, [0, 0, 0, 0]> -> !cim.act<[4, 4, 4], ui8, 0, [0, 0, 0, 0]> loc("/n"("m.onnx":3:0))

// CHECK: m.onnx node #3 '/n': cim.table: result is (4, 4, 4), expected (4, 4, 8)

// -----

%a = "test.op"() : () -> !cim.act<[4, 4, 8], ui8, 0, [0, 0, 0, 0]>
%b = "test.op"() : () -> !cim.act<[1, 1, 4], ui8, 0, [0, 0, 0, 0]>
%y = cim.mul %a, %b {source_op = "X", m0 = 1 : i64, shift = 0 : i64, low = 0 : i64, high = 255 : i64} : !cim.act<[4, 4, 8], ui8, 0, [0, 0, 0, 0]>, !cim.act<[1, 1, 4], ui8, 0, [0, 0, 0, 0]> -> !cim.act<[4, 4, 8], ui8, 0, [0, 0, 0, 0]> loc("/n"("m.onnx":3:0))

// CHECK: m.onnx node #3 '/n': cim.mul: shapes differ: (4, 4, 8), (1, 1, 4), (4, 4, 8)

// -----

%a = "test.op"() : () -> !cim.act<[4, 4, 8], ui8, 0, [0, 0, 0, 0]>
%b = "test.op"() : () -> !cim.act<[4, 4, 8], ui8, 0, [0, 0, 0, 0]>
%y = cim.concat %a, %b {source_op = "X", low = 0 : i64, high = 255 : i64, m0 = array<i64: 1>, shift = array<i64: 0, 0>} : !cim.act<[4, 4, 8], ui8, 0, [0, 0, 0, 0]>, !cim.act<[4, 4, 8], ui8, 0, [0, 0, 0, 0]> -> !cim.act<[4, 4, 16], ui8, 0, [0, 0, 0, 0]> loc("/n"("m.onnx":3:0))

// CHECK: m.onnx node #3 '/n': cim.concat: 2 operands need as many values of m0 and shift, got 1 and 2

// -----

%a = "test.op"() : () -> !cim.act<[4, 4, 8], ui8, 0, [0, 0, 0, 0]>
%b = "test.op"() : () -> !cim.act<[4, 3, 8], ui8, 0, [0, 0, 0, 0]>
%y = cim.concat %a, %b {source_op = "X", low = 0 : i64, high = 255 : i64, m0 = array<i64: 1, 1>, shift = array<i64: 0, 0>} : !cim.act<[4, 4, 8], ui8, 0, [0, 0, 0, 0]>, !cim.act<[4, 3, 8], ui8, 0, [0, 0, 0, 0]> -> !cim.act<[4, 4, 16], ui8, 0, [0, 0, 0, 0]> loc("/n"("m.onnx":3:0))

// CHECK: m.onnx node #3 '/n': cim.concat: shapes differ in height or width: {{.*}}(4, 3), (4, 4)

// -----

%a = "test.op"() : () -> !cim.act<[4, 4, 8], ui8, 0, [0, 0, 0, 0]>
%b = "test.op"() : () -> !cim.act<[4, 4, 8], ui8, 0, [0, 0, 0, 0]>
%y = cim.concat %a, %b {source_op = "X", low = 0 : i64, high = 255 : i64, m0 = array<i64: 1, 1>, shift = array<i64: 0, 0>} : !cim.act<[4, 4, 8], ui8, 0, [0, 0, 0, 0]>, !cim.act<[4, 4, 8], ui8, 0, [0, 0, 0, 0]> -> !cim.act<[4, 4, 12], ui8, 0, [0, 0, 0, 0]> loc("/n"("m.onnx":3:0))

// CHECK: m.onnx node #3 '/n': cim.concat: result is (4, 4, 12), expected (4, 4, 16)

// -----

%a = "test.op"() : () -> !cim.act<[4, 4, 8], ui8, 0, [0, 0, 0, 0]>
%y = cim.slice %a {source_op = "X", starts = array<i64: 0, 0>, sizes = array<i64: 1, 1, 1>, steps = array<i64: 1, 1, 2>} : !cim.act<[4, 4, 8], ui8, 0, [0, 0, 0, 0]> -> !cim.act<[1, 1, 1], ui8, 0, [0, 0, 0, 0]> loc("/n"("m.onnx":3:0))

// CHECK: m.onnx node #3 '/n': cim.slice: starts, sizes and steps must be 3 values of at least 0

// -----

%a = "test.op"() : () -> !cim.act<[4, 4, 8], ui8, 0, [0, 0, 0, 0]>
%y = cim.slice %a {source_op = "X", starts = array<i64: 0, 0, 0>, sizes = array<i64: 4, 4, 5>, steps = array<i64: 1, 1, 2>} : !cim.act<[4, 4, 8], ui8, 0, [0, 0, 0, 0]> -> !cim.act<[4, 4, 5], ui8, 0, [0, 0, 0, 0]> loc("/n"("m.onnx":3:0))

// CHECK: m.onnx node #3 '/n': cim.slice: last position [3, 3, 8] is outside of (4, 4, 8)

// -----

%a = "test.op"() : () -> !cim.act<[4, 4, 8], ui8, 0, [0, 0, 0, 0]>
%y = cim.slice %a {source_op = "X", starts = array<i64: 0, 0, 0>, sizes = array<i64: 4, 4, 4>, steps = array<i64: 1, 1, 2>} : !cim.act<[4, 4, 8], ui8, 0, [0, 0, 0, 0]> -> !cim.act<[4, 4, 4], si8, 0, [0, 0, 0, 0]> loc("/n"("m.onnx":3:0))

// CHECK: m.onnx node #3 '/n': cim.slice: result must have the storage and zero point of the operand

// -----

%a = "test.op"() : () -> !cim.act<[4, 4, 8], ui8, 0, [0, 0, 0, 0]>
%y = cim.resize %a {source_op = "X", scale = array<i64: 2>} : !cim.act<[4, 4, 8], ui8, 0, [0, 0, 0, 0]> -> !cim.act<[8, 4, 8], ui8, 0, [0, 0, 0, 0]> loc("/n"("m.onnx":3:0))

// CHECK: m.onnx node #3 '/n': cim.resize: scale must be 2 values of at least 1, got [2]

// -----

%a = "test.op"() : () -> !cim.act<[4, 4, 8], ui8, 0, [0, 0, 0, 0]>
%y = cim.resize %a {source_op = "X", scale = array<i64: 2, 1>} : !cim.act<[4, 4, 8], ui8, 0, [0, 0, 0, 0]> -> !cim.act<[4, 4, 8], ui8, 0, [0, 0, 0, 0]> loc("/n"("m.onnx":3:0))

// CHECK: m.onnx node #3 '/n': cim.resize: result is (4, 4, 8), expected (8, 4, 8)

// -----

%a = "test.op"() : () -> !cim.act<[4, 4, 8], ui8, 0, [0, 0, 0, 0]>
%y = cim.shuffle %a {source_op = "X", groups = 3 : i64} : !cim.act<[4, 4, 8], ui8, 0, [0, 0, 0, 0]> -> !cim.act<[4, 4, 8], ui8, 0, [0, 0, 0, 0]> loc("/n"("m.onnx":3:0))

// CHECK: m.onnx node #3 '/n': cim.shuffle: groups 3 must divide 8 channels

// -----

%a = "test.op"() : () -> !cim.act<[4, 4, 8], ui8, 0, [0, 0, 0, 0]>
%y = cim.flatten %a {source_op = "X", place = #cim.place<"buffer", 0>} : !cim.act<[4, 4, 8], ui8, 0, [0, 0, 0, 0]> -> !cim.act<[4, 4, 8], ui8, 0, [0, 0, 0, 0]> loc("/n"("m.onnx":3:0))

// CHECK: m.onnx node #3 '/n': cim.flatten: result is (4, 4, 8), expected (1, 1, 128)

// -----

%a = "test.op"() : () -> !cim.act<[4, 4, 8], ui8, 0, [0, 0, 0, 0]>
%y = cim.pool %a {source_op = "X", kind = "sum", kernel = array<i64: 2, 2>, strides = array<i64: 2, 2>, pads = array<i64: 0, 0, 0, 0>, dilations = array<i64: 1, 1>, m0 = 1 : i64, shift = 0 : i64, low = 0 : i64, high = 255 : i64, halo_value = 0 : i64, divisors = array<i64: 2>, factors = array<i64: 1>, shifts = array<i64: 1>} : !cim.act<[4, 4, 8], ui8, 0, [0, 0, 0, 0]> -> !cim.act<[2, 2, 8], ui8, 0, [0, 0, 0, 0]> loc("/n"("m.onnx":3:0))

// CHECK: m.onnx node #3 '/n': cim.pool: divisors lack [4]
