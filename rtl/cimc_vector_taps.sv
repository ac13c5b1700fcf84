// Weights of depthwise convolutions: a memory of one beat a tap, and two sets of requantisation
// parameters of one beat of channels. DMA fills one half while the other one is in use.
//
// The tap of a read follows its stage 1 by one cycle; parameters stand while the command runs.
module cimc_vector_taps (
  input  logic clk_i,
  // Command
  input  logic                                start_i,
  input  logic [cimc_pkg::VectorTapBits-1:0]  base_i,
  input  logic                                set_i,
  // Stage 1: the next read of the command, the last one of its result
  input  logic                                re_i,
  input  logic                                last_i,
  output logic [cimc_pkg::BeatBits-1:0]       taps_o,         // stage 2
  output logic [64*cimc_pkg::BeatBytes-1:0]   parameters_o,   // bias 0..31, M 32..55, S 56..61
  // DMA
  input  logic                                tap_we_i,
  input  logic [cimc_pkg::VectorTapBits-1:0]  tap_index_i,
  input  logic                                parameter_we_i,
  input  logic                                parameter_set_i,
  input  logic [2:0]                          parameter_beat_i,
  input  logic [cimc_pkg::BeatBits-1:0]       data_i
);
  localparam int BeatBits = cimc_pkg::BeatBits;
  localparam int SetBeats = 8;

  logic [cimc_pkg::VectorTapBits-1:0] base_q, tap_q;

  always_ff @(posedge clk_i) begin
    if (start_i) begin
      base_q <= base_i;
      tap_q  <= base_i;
    end else if (re_i) begin
      tap_q <= last_i ? base_q : tap_q + 1'b1;
    end
  end

  cimc_sram_1r1w #(
    .Width(BeatBits),
    .Depth(cimc_pkg::VectorTaps)
  ) u_memory (
    .clk_i  (clk_i),
    .we_i   (tap_we_i),
    .waddr_i(tap_index_i),
    .wdata_i(data_i),
    .re_i   (re_i),
    .raddr_i(tap_q),
    .rdata_o(taps_o)
  );

  // All lanes need theirs in the same cycle, so the two sets are registers.
  logic [2*SetBeats*BeatBits-1:0] parameter_q;   // set 0 lowest
  logic                           set_q;

  always_ff @(posedge clk_i) begin
    for (int i = 0; i < 2 * SetBeats; i++) begin
      if (parameter_we_i && 32'({parameter_set_i, parameter_beat_i}) == i) begin
        parameter_q[BeatBits*i +: BeatBits] <= data_i;
      end
    end
    if (start_i) set_q <= set_i;
  end

  assign parameters_o = set_q ? parameter_q[SetBeats*BeatBits +: SetBeats*BeatBits]
                              : parameter_q[0 +: SetBeats*BeatBits];

`ifndef SYNTHESIS
  // Power-up contents, so that two simulators and the emulator agree on every byte.
  initial parameter_q = '0;
`endif
endmodule
