// Partial sums of one cluster, in two halves: one entry of both holds two accumulators a lane, else
// each half has entries of its own.
module cimc_psum_memory #(
  localparam int Width = 32 * cimc_pkg::Lanes
) (
  input  logic                               clk_i,
  input  logic                               dual_i,        // two accumulators a lane
  input  logic                               we_i,
  input  logic [cimc_pkg::PsumIndexBits-1:0] windex_i,
  input  logic [Width-1:0]                   wdata_i,
  input  logic [Width-1:0]                   high_wdata_i,  // second accumulators
  input  logic                               re_i,
  input  logic [cimc_pkg::PsumIndexBits-1:0] rindex_i,
  output logic [Width-1:0]                   rdata_o,
  output logic [Width-1:0]                   high_rdata_o
);
  localparam int HalfEntries = (cimc_pkg::PsumEntries > 1) ? cimc_pkg::PsumEntries / 2 : 1;
  localparam int HalfBits = (HalfEntries > 1) ? $clog2(HalfEntries) : 1;

  logic             read_upper, write_upper, upper_q;
  logic [Width-1:0] lower;

  assign read_upper  = 32'(rindex_i) >= HalfEntries;
  assign write_upper = 32'(windex_i) >= HalfEntries;
  assign rdata_o     = upper_q ? high_rdata_o : lower;

  cimc_sram_1r1w #(
    .Width(Width),
    .Depth(HalfEntries)
  ) u_lower (
    .clk_i  (clk_i),
    .we_i   (we_i && (dual_i || !write_upper)),
    .waddr_i(HalfBits'(32'(windex_i) % HalfEntries)),
    .wdata_i(wdata_i),
    .re_i   (re_i && (dual_i || !read_upper)),
    .raddr_i(HalfBits'(32'(rindex_i) % HalfEntries)),
    .rdata_o(lower)
  );

  cimc_sram_1r1w #(
    .Width(Width),
    .Depth(HalfEntries)
  ) u_upper (
    .clk_i  (clk_i),
    .we_i   (we_i && (dual_i || write_upper)),
    .waddr_i(HalfBits'(32'(windex_i) % HalfEntries)),
    .wdata_i(dual_i ? high_wdata_i : wdata_i),
    .re_i   (re_i && (dual_i || read_upper)),
    .raddr_i(HalfBits'(32'(rindex_i) % HalfEntries)),
    .rdata_o(high_rdata_o)
  );

  always_ff @(posedge clk_i) begin
    if (re_i) upper_q <= read_upper && !dual_i;
  end
endmodule
