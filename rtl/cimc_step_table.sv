// Step table: window offsets, filled by beats of 32-bit entries, read one entry a cycle.
module cimc_step_table (
  input  logic                               clk_i,
  input  logic                               we_i,
  input  logic [cimc_pkg::StepIndexBits-1:0] windex_i,  // first entry of the beat
  /* verilator lint_off UNUSEDSIGNAL */ // an entry has 32 bits, an address fewer
  input  logic [cimc_pkg::BeatBits-1:0]      wdata_i,
  /* verilator lint_on UNUSEDSIGNAL */
  input  logic                               re_i,
  input  logic [cimc_pkg::StepIndexBits-1:0] rindex_i,
  output logic [cimc_pkg::ActivationAddressBits-1:0] offset_o
);
  localparam int OffsetBits = cimc_pkg::ActivationAddressBits;
  localparam int BeatEntries = cimc_pkg::BeatBytes / 4;
  localparam int Depth = cimc_pkg::StepEntries / BeatEntries;
  localparam int RowBits = (Depth > 1) ? $clog2(Depth) : 1;
  localparam int SelectBits = (BeatEntries > 1) ? $clog2(BeatEntries) : 1;

  logic [BeatEntries*OffsetBits-1:0] wdata, rdata;
  logic [RowBits-1:0]    wrow, rrow;
  logic [SelectBits-1:0] select_q;

  for (genvar e = 0; e < BeatEntries; e++) begin : gen_entry
    assign wdata[e*OffsetBits +: OffsetBits] = wdata_i[32*e +: OffsetBits];
  end

  assign wrow = RowBits'(windex_i >> $clog2(BeatEntries));
  assign rrow = RowBits'(rindex_i >> $clog2(BeatEntries));

  cimc_sram_1r1w #(
    .Width(BeatEntries * OffsetBits),
    .Depth(Depth)
  ) u_memory (
    .clk_i  (clk_i),
    .we_i   (we_i),
    .waddr_i(wrow),
    .wdata_i(wdata),
    .re_i   (re_i),
    .raddr_i(rrow),
    .rdata_o(rdata)
  );

  always_ff @(posedge clk_i) begin
    if (re_i) select_q <= SelectBits'(32'(rindex_i) % BeatEntries);
  end

  always_comb begin
    offset_o = '0;
    for (int i = 0; i < BeatEntries; i++) begin
      if (select_q == SelectBits'(i)) offset_o = rdata[i*OffsetBits +: OffsetBits];
    end
  end
endmodule
