// The vector unit: loops over beats of bytes; reads, combines, scales, writes.
//
// Stages of a read: 0 buffer address, 1 buffer data, 2 zero point, 3 reduction, 4 and 5 multiply,
// 6 round, 7 write; cimc_vector_lanes has 2 to 7. Weights of DEPTHWISE come from cimc_vector_taps.
module cimc_vector (
  input  logic clk_i,
  input  logic rst_ni,
  // Command
  input  logic                                  start_i,
  input  logic [cimc_pkg::CMD_VECTOR_ANY_W-1:0] command_i,
  output logic                                  done_o,
  // Look-up table
  input  logic                                  lut_we_i,
  input  logic [$clog2(256/cimc_pkg::BeatBytes)-1:0] lut_beat_i,
  input  logic [cimc_pkg::BeatBits-1:0]         lut_data_i,
  // Taps and their parameters
  input  logic                                  tap_we_i,
  input  logic [cimc_pkg::VectorTapBits-1:0]    tap_index_i,
  input  logic                                  parameter_we_i,
  input  logic                                  parameter_set_i,
  input  logic [2:0]                            parameter_beat_i,
  input  logic [cimc_pkg::BeatBits-1:0]         tap_data_i,
  // Activation buffer
  output logic                                       buffer_re_o,
  output logic [cimc_pkg::ActivationAddressBits-1:0] buffer_raddr_o,
  input  logic [cimc_pkg::BeatBits-1:0]              buffer_rdata_i,
  output logic                                       buffer_we_o,
  output logic [cimc_pkg::ActivationAddressBits-1:0] buffer_waddr_o,
  output logic [cimc_pkg::BeatBits-1:0]              buffer_wdata_o,
  output logic [cimc_pkg::BeatBytes-1:0]             buffer_wstrb_o
);
  localparam int AddressBits = cimc_pkg::ActivationAddressBits;
  localparam int BeatBytes = cimc_pkg::BeatBytes;
  localparam int ByteBits = cimc_pkg::CMD_VECTOR_LOW_W;

  // Fields that are needed while the command runs
  logic [cimc_pkg::CMD_VECTOR_OP_W-1:0]    op_q;
  logic                                    a_signed_q, b_signed_q;
  logic [cimc_pkg::CMD_VECTOR_TAIL_W-1:0]  tail_q;
  logic signed [31:0]                      m0_q, m1_q;
  logic [cimc_pkg::CMD_VECTOR_SHIFT_W-1:0] shift_q;
  logic signed [ByteBits-1:0]              a_zero_q, b_zero_q, y_zero_q, low_q, high_q;

  always_ff @(posedge clk_i) begin
    if (start_i) begin
      op_q       <= command_i[cimc_pkg::CMD_VECTOR_OP_LSB +: cimc_pkg::CMD_VECTOR_OP_W];
      a_signed_q <= command_i[cimc_pkg::CMD_VECTOR_A_SIGNED_LSB];
      b_signed_q <= command_i[cimc_pkg::CMD_VECTOR_B_SIGNED_LSB];
      tail_q     <= command_i[cimc_pkg::CMD_VECTOR_TAIL_LSB +: cimc_pkg::CMD_VECTOR_TAIL_W];
      m0_q       <= command_i[cimc_pkg::CMD_VECTOR_M0_LSB +: cimc_pkg::CMD_VECTOR_M0_W];
      m1_q       <= command_i[cimc_pkg::CMD_VECTOR_M1_LSB +: cimc_pkg::CMD_VECTOR_M1_W];
      shift_q    <= command_i[cimc_pkg::CMD_VECTOR_SHIFT_LSB +: cimc_pkg::CMD_VECTOR_SHIFT_W];
      a_zero_q   <= command_i[cimc_pkg::CMD_VECTOR_A_ZERO_LSB +: ByteBits];
      b_zero_q   <= command_i[cimc_pkg::CMD_VECTOR_B_ZERO_LSB +: ByteBits];
      y_zero_q   <= command_i[cimc_pkg::CMD_VECTOR_Y_ZERO_LSB +: ByteBits];
      low_q      <= command_i[cimc_pkg::CMD_VECTOR_LOW_LSB +: ByteBits];
      high_q     <= command_i[cimc_pkg::CMD_VECTOR_HIGH_LSB +: ByteBits];
    end
  end

  // Stage 0
  logic                   valid0, first0, last0, final0, tail0;
  logic [AddressBits-1:0] result0;

  cimc_vector_sequencer u_sequencer (
    .clk_i    (clk_i),
    .rst_ni   (rst_ni),
    .start_i  (start_i),
    .command_i(command_i),
    .valid_o  (valid0),
    .address_o(buffer_raddr_o),
    .first_o  (first0),
    .last_o   (last0),
    .final_o  (final0),
    .tail_o   (tail0),
    .result_o (result0)
  );

  assign buffer_re_o = valid0 && op_q != cimc_pkg::VOP_FILL;

  // What travels beside the data
  logic [7:1]               valid_q, last_q, final_q, tails_q;
  logic [5:1]               first_q;
  logic [7*AddressBits-1:0] result_q;   // stage 7 highest
  logic [cimc_pkg::BeatBits-1:0] data_q;

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) valid_q <= '0;
    else valid_q <= {valid_q[6:1], valid0};
  end

  always_ff @(posedge clk_i) begin
    if (valid0 || (|valid_q)) begin
      first_q  <= {first_q[4:1], first0};
      last_q   <= {last_q[6:1], last0};
      final_q  <= {final_q[6:1], final0};
      tails_q  <= {tails_q[6:1], tail0};
      result_q <= {result_q[6*AddressBits-1:0], result0};
    end
    if (valid_q[1]) data_q <= buffer_rdata_i;
  end

  logic [cimc_pkg::BeatBits-1:0] taps;         // stage 2
  logic [64*BeatBytes-1:0]       parameters;

  cimc_vector_taps u_taps (
    .clk_i           (clk_i),
    .start_i         (start_i),
    .base_i          (cimc_pkg::VectorTapBits'(
                        command_i[cimc_pkg::CMD_VECTOR_TAP_BASE_LSB
                                  +: cimc_pkg::CMD_VECTOR_TAP_BASE_W])),
    .set_i           (command_i[cimc_pkg::CMD_VECTOR_PARAM_SET_LSB]),
    .re_i            (valid_q[1] && op_q == cimc_pkg::VOP_DEPTHWISE),
    .last_i          (last_q[1]),
    .taps_o          (taps),
    .parameters_o    (parameters),
    .tap_we_i        (tap_we_i),
    .tap_index_i     (tap_index_i),
    .parameter_we_i  (parameter_we_i),
    .parameter_set_i (parameter_set_i),
    .parameter_beat_i(parameter_beat_i),
    .data_i          (tap_data_i)
  );

  cimc_vector_lanes u_lanes (
    .clk_i     (clk_i),
    .op_i      (op_q),
    .a_signed_i(a_signed_q),
    .b_signed_i(b_signed_q),
    .a_zero_i  (a_zero_q),
    .b_zero_i  (b_zero_q),
    .m0_i      (m0_q),
    .m1_i      (m1_q),
    .shift_i   (shift_q),
    .y_zero_i  (y_zero_q),
    .low_i     (low_q),
    .high_i    (high_q),
    .lut_we_i  (lut_we_i),
    .lut_beat_i(lut_beat_i),
    .lut_data_i(lut_data_i),
    .valid_i   (valid_q[7:2]),
    .first_i   (first_q[5:2]),
    .last_i    (last_q[7:4]),
    .data_i    (data_q),
    .taps_i    (taps),
    .parameters_i(parameters),
    .bytes_o   (buffer_wdata_o)
  );

  assign buffer_we_o    = valid_q[7] && last_q[7];
  assign buffer_waddr_o = result_q[6*AddressBits +: AddressBits];
  assign done_o         = valid_q[7] && final_q[7];

  always_comb begin
    buffer_wstrb_o = '0;
    if (buffer_we_o) begin
      for (int i = 0; i < BeatBytes; i++) begin
        buffer_wstrb_o[i] = !tails_q[7] || 7'(i) < 7'(tail_q);
      end
    end
  end
endmodule
