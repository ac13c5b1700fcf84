// Arithmetic of the vector unit on the bytes of a beat.
//
// Stage 2: byte minus zero point, or table look-up. Stage 3: maximum, sum or product over the
// reads of a result; DEPTHWISE adds products with taps to the bias. Stages 4 and 5: times the
// multiplier; ADD sums its two products. Stage 6: shift and round. Stage 7: zero point and clamp,
// to bytes_o.
module cimc_vector_lanes (
  input  logic clk_i,
  // Command, stable while it runs
  input  logic [cimc_pkg::CMD_VECTOR_OP_W-1:0]                    op_i,
  input  logic                                                    a_signed_i,
  input  logic                                                    b_signed_i,
  input  logic signed [cimc_pkg::CMD_VECTOR_A_ZERO_W-1:0]         a_zero_i,
  input  logic signed [cimc_pkg::CMD_VECTOR_B_ZERO_W-1:0]         b_zero_i,
  input  logic signed [31:0]                                      m0_i,
  input  logic signed [31:0]                                      m1_i,
  input  logic [5:0]                                              shift_i,
  input  logic signed [cimc_pkg::CMD_VECTOR_Y_ZERO_W-1:0]         y_zero_i,
  input  logic signed [cimc_pkg::CMD_VECTOR_LOW_W-1:0]            low_i,
  input  logic signed [cimc_pkg::CMD_VECTOR_HIGH_W-1:0]           high_i,
  // Look-up table
  input  logic                            lut_we_i,
  input  logic [$clog2(256/cimc_pkg::BeatBytes)-1:0] lut_beat_i,
  input  logic [cimc_pkg::BeatBits-1:0]   lut_data_i,
  // Stages 2 to 7, as far as each is needed; a read is the first or last one of its result
  input  logic [7:2]                      valid_i,
  input  logic [5:2]                      first_i,
  input  logic [7:4]                      last_i,
  input  logic [cimc_pkg::BeatBits-1:0]   data_i,    // stage 2
  // DEPTHWISE: weight codes (stage 2); bias 0..31, M 32..55, S 56..61 of each lane
  input  logic [cimc_pkg::BeatBits-1:0]   taps_i,
  /* verilator lint_off UNUSEDSIGNAL */ // a shift has 6 bits of its byte
  input  logic [64*cimc_pkg::BeatBytes-1:0] parameters_i,
  /* verilator lint_on UNUSEDSIGNAL */
  output logic [cimc_pkg::BeatBits-1:0]   bytes_o    // stage 7
);
  localparam int Lanes = cimc_pkg::BeatBytes;
  localparam int DifferenceBits = 10;
  localparam int PartBits = 32 + 17;   // signed 32 by unsigned 16 or signed 16

  logic is_max, is_add, is_mul, is_lut, is_fill, is_depthwise;

  assign is_max  = op_i == cimc_pkg::VOP_MAX;
  assign is_add  = op_i == cimc_pkg::VOP_ADD;
  assign is_mul  = op_i == cimc_pkg::VOP_MUL;
  assign is_lut  = op_i == cimc_pkg::VOP_LUT;
  assign is_fill = op_i == cimc_pkg::VOP_FILL;
  assign is_depthwise = op_i == cimc_pkg::VOP_DEPTHWISE;

  logic [256*8-1:0] lut_q;

  always_ff @(posedge clk_i) begin
    for (int i = 0; i < 256 / Lanes; i++) begin
      if (lut_we_i && 32'(lut_beat_i) == i) lut_q[8*Lanes*i +: 8*Lanes] <= lut_data_i;
    end
  end

`ifndef SYNTHESIS
  // Power-up contents, so that two simulators and the emulator agree on every byte.
  initial lut_q = '0;
`endif

  // Stage 2: one source or the other, by place among the reads
  logic [DifferenceBits*Lanes-1:0] difference_q;
  logic                            second;
  logic                            data_signed;
  logic signed [8:0]               zero;

  assign second      = (is_add || is_mul) && !first_i[2];
  assign data_signed = second ? b_signed_i : a_signed_i;
  assign zero        = second ? b_zero_i : a_zero_i;

  always_ff @(posedge clk_i) begin : p_difference
    logic [DifferenceBits-1:0] difference;
    if (valid_i[2]) begin
      for (int l = 0; l < Lanes; l++) begin
        if (is_fill) difference = '0;
        else if (is_lut) difference = DifferenceBits'(lut_q[{data_i[8*l +: 8], 3'b000} +: 8]);
        else difference = {{2{data_signed && data_i[8*l+7]}}, data_i[8*l +: 8]}
                        - DifferenceBits'(zero);
        difference_q[DifferenceBits*l +: DifferenceBits] <= difference;
      end
    end
  end

  logic [DifferenceBits*Lanes-1:0] weight_q;

  always_ff @(posedge clk_i) begin
    if (valid_i[2] && is_depthwise) begin
      for (int l = 0; l < Lanes; l++) begin
        weight_q[DifferenceBits*l +: DifferenceBits]
          <= {{2{b_signed_i && taps_i[8*l+7]}}, taps_i[8*l +: 8]} - DifferenceBits'(b_zero_i);
      end
    end
  end

  // Stage 3
  logic [32*Lanes-1:0] reduced_q;

  always_ff @(posedge clk_i) begin : p_reduce
    logic signed [31:0] now, so_far, next;
    logic signed [DifferenceBits-1:0] other;
    logic signed [19:0] product;
    if (valid_i[3]) begin
      for (int l = 0; l < Lanes; l++) begin
        now    = 32'($signed(difference_q[DifferenceBits*l +: DifferenceBits]));
        so_far = reduced_q[32*l +: 32];
        other  = is_depthwise ? weight_q[DifferenceBits*l +: DifferenceBits]
                              : so_far[DifferenceBits-1:0];
        product = 20'(other) * 20'($signed(now[DifferenceBits-1:0]));
        if (is_depthwise) next = (first_i[3] ? parameters_i[64*l +: 32] : so_far) + 32'(product);
        else if (first_i[3] || is_add) next = now;
        else if (is_max) next = (so_far > now) ? so_far : now;
        else if (is_mul) next = 32'(product);
        else next = so_far + now;
        reduced_q[32*l +: 32] <= next;
      end
    end
  end

  // Stages 4 and 5: multiply in two parts
  logic [PartBits*Lanes-1:0] low_q, high_q;
  logic [64*Lanes-1:0]       scaled_q;
  logic signed [31:0]        factor;

  always_comb begin
    factor = m0_i;
    if (is_lut || is_fill) factor = 32'sd1;
    else if (is_add && !first_i[4]) factor = m1_i;
  end

  always_ff @(posedge clk_i) begin : p_multiply
    logic signed [31:0] lane_factor;
    if (valid_i[4] && (last_i[4] || is_add)) begin
      for (int l = 0; l < Lanes; l++) begin
        lane_factor = is_depthwise ? {8'd0, parameters_i[64*l + 32 +: 24]} : factor;
        low_q[PartBits*l +: PartBits]  <= PartBits'($signed(reduced_q[32*l +: 32]))
                                        * PartBits'(lane_factor[15:0]);
        high_q[PartBits*l +: PartBits] <= PartBits'($signed(reduced_q[32*l +: 32]))
                                        * PartBits'($signed(lane_factor[31:16]));
      end
    end
  end

  always_ff @(posedge clk_i) begin : p_scale
    logic [63:0] product;
    if (valid_i[5] && (last_i[5] || is_add)) begin
      for (int l = 0; l < Lanes; l++) begin
        product = 64'($signed(low_q[PartBits*l +: PartBits]))
                + {high_q[PartBits*l +: 48], 16'd0};
        if (is_add && !first_i[5]) product = product + scaled_q[64*l +: 64];
        scaled_q[64*l +: 64] <= product;
      end
    end
  end

  // Stage 6
  logic [11*Lanes-1:0] value_q;
  logic [5:0]          shift;

  assign shift = (is_lut || is_fill) ? 6'd0 : shift_i;

  always_ff @(posedge clk_i) begin : p_round
    logic [5:0] lane_shift;
    if (valid_i[6] && last_i[6]) begin
      for (int l = 0; l < Lanes; l++) begin
        lane_shift = is_depthwise ? parameters_i[64*l + 56 +: 6] : shift;
        value_q[11*l +: 11] <= cimc_math_pkg::round_shift($signed(scaled_q[64*l +: 64]),
                                                          lane_shift);
      end
    end
  end

  // Stage 7: LUT and FILL give their byte as it is
  logic signed [8:0] byte_zero, byte_low, byte_high;

  always_comb begin
    byte_zero = is_lut ? 9'sd0 : y_zero_i;
    byte_low  = (is_lut || is_fill) ? -9'sd256 : low_i;
    byte_high = (is_lut || is_fill) ? 9'sd255 : high_i;
  end

  // No function calls in always_comb: Icarus 11 then wakes every such process for ever.
  for (genvar b = 0; b < Lanes; b++) begin : gen_byte
    assign bytes_o[8*b +: 8] = (valid_i[7] && last_i[7])
      ? cimc_math_pkg::result_byte($signed(value_q[11*b +: 11]), byte_zero, byte_low, byte_high)
      : '0;
  end
endmodule
