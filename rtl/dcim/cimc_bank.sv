// One bank: an ordinary memory of plain weights.
module cimc_bank #(
  localparam int AddressBits = cimc_pkg::BankRowBits
) (
  input  logic                                clk_i,
  input  logic                                we_i,
  input  logic [AddressBits-1:0]              waddr_i,
  input  logic [cimc_pkg::RowColumns-1:0]     wdata_i,
  input  logic                                re_i,
  input  logic [AddressBits-1:0]              raddr_i,
  input  logic [cimc_pkg::WordlineWindow-1:0] wordlines_i,  // the row is wanted
  output logic [cimc_pkg::RowColumns-1:0]     rdata_o
);
  cimc_sram_1r1w #(
    .Width(cimc_pkg::RowColumns),
    .Depth(cimc_pkg::BankRows)
  ) u_memory (
    .clk_i  (clk_i),
    .we_i   (we_i),
    .waddr_i(waddr_i),
    .wdata_i(wdata_i),
    .re_i   (re_i && |wordlines_i),
    .raddr_i(raddr_i),
    .rdata_o(rdata_o)
  );
endmodule
