// Arithmetic that several units share.
package cimc_math_pkg;
  // v / 2^s rounded half to even, then clamped to -1024 .. 1023: wider than any result byte can be
  // away from its zero point, so that adding the zero point and clamping gives the exact byte.
  function automatic logic signed [10:0] round_shift(input logic signed [63:0] v,
                                                     input logic [5:0] s);
    logic signed [63:0] rounded;
    logic        [63:0] half;
    logic               odd;
    // Adding 2^(s-1) - 1, and 1 more when the floor is odd, carries exactly when v rounds up.
    odd     = v[s];
    half    = (s == 6'd0) ? 64'd0 : (64'd1 << (s - 6'd1)) - (odd ? 64'd0 : 64'd1);
    rounded = $signed(v + half) >>> s;
    if (rounded > 64'sd1023) round_shift = 11'sd1023;
    else if (rounded < -64'sd1024) round_shift = -11'sd1024;
    else round_shift = $signed(rounded[10:0]);
  endfunction

  // The byte low <= value + zero <= high; the clamp comes from the command.
  function automatic logic [7:0] result_byte(input logic signed [10:0] value,
                                             input logic signed [8:0] zero,
                                             input logic signed [8:0] low,
                                             input logic signed [8:0] high);
    logic signed [11:0] sum;
    sum = 12'(value) + 12'(zero);
    if (sum < 12'(low)) sum = 12'(low);
    if (sum > 12'(high)) sum = 12'(high);
    result_byte = sum[7:0];
  endfunction
endpackage
