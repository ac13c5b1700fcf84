// Memory macro: one write port, one read port, synchronous; a black box in synthesis.
//
// Data of a read that is asked for in one cycle stand at rdata_o from the next one on, until the
// next read. A read of the word that is written in the same cycle gives the old word.
module cimc_sram_1r1w #(
  parameter int Width = 32,
  parameter int Depth = 64,
  localparam int AddressBits = (Depth > 1) ? $clog2(Depth) : 1
) (
  input  logic                   clk_i,
  input  logic                   we_i,
  input  logic [AddressBits-1:0] waddr_i,
  input  logic [Width-1:0]       wdata_i,
  input  logic                   re_i,
  input  logic [AddressBits-1:0] raddr_i,
  output logic [Width-1:0]       rdata_o
);
  logic [Width-1:0] word_q [Depth];

  always_ff @(posedge clk_i) begin
    if (we_i) word_q[waddr_i] <= wdata_i;
  end

  always_ff @(posedge clk_i) begin
    if (re_i) rdata_o <= word_q[raddr_i];
  end

`ifndef SYNTHESIS
  // Power-up contents, so that two simulators and the emulator agree on every byte.
  initial begin
    for (int i = 0; i < Depth; i++) word_q[i] = '0;
  end
`endif
endmodule
