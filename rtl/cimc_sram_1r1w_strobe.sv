// Memory macro like cimc_sram_1r1w whose write port has one strobe a byte.
module cimc_sram_1r1w_strobe #(
  parameter int Width = 32,
  parameter int Depth = 64,
  localparam int AddressBits = (Depth > 1) ? $clog2(Depth) : 1
) (
  input  logic                   clk_i,
  input  logic                   we_i,
  input  logic [AddressBits-1:0] waddr_i,
  input  logic [Width-1:0]       wdata_i,
  input  logic [Width/8-1:0]     wstrb_i,
  input  logic                   re_i,
  input  logic [AddressBits-1:0] raddr_i,
  output logic [Width-1:0]       rdata_o
);
  logic [Width-1:0] word_q [Depth];

  always_ff @(posedge clk_i) begin : p_write
    logic [Width-1:0] merged;
    if (we_i) begin
      merged = word_q[waddr_i];
      for (int i = 0; i < Width / 8; i++) begin
        if (wstrb_i[i]) merged[8*i +: 8] = wdata_i[8*i +: 8];
      end
      word_q[waddr_i] <= merged;
    end
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
