// Requantisation parameters: two sets of 8 bytes an output (two outputs a lane), filled by beats,
// read by groups of the lanes that the post-processor does together.
module cimc_parameter_memory (
  input  logic                            clk_i,
  input  logic                            we_i,
  input  logic                            wset_i,
  input  logic [$clog2(cimc_pkg::Clusters * 16)-1:0] wbeat_i,  // beats of a set
  input  logic [cimc_pkg::BeatBits-1:0]   wdata_i,
  input  logic                            re_i,
  input  logic                            rset_i,
  input  logic [$clog2(2 * cimc_pkg::Outputs + 1)-1:0] rgroup_i,
  output logic [64*cimc_pkg::RequantLanes-1:0]     rdata_o
);
  // A group is several beats, or a beat is several groups.
  localparam int GroupBits = 64 * cimc_pkg::RequantLanes;
  localparam int BeatBits = cimc_pkg::BeatBits;
  localparam int Parts = (GroupBits > BeatBits) ? GroupBits / BeatBits : 1;
  localparam int Groups = (BeatBits > GroupBits) ? BeatBits / GroupBits : 1;
  localparam int Rows = cimc_pkg::Clusters * 16 / Parts;  // of a set
  localparam int RowBits = (Rows > 1) ? $clog2(Rows) : 1;
  localparam int SelectBits = (Groups > 1) ? $clog2(Groups) : 1;

  logic [RowBits-1:0]        wrow, rrow;
  logic [Parts*BeatBits-1:0] rdata;
  logic [SelectBits-1:0]     select_q;

  assign wrow = RowBits'(wbeat_i >> $clog2(Parts));
  assign rrow = RowBits'(rgroup_i >> $clog2(Groups));

  for (genvar p = 0; p < Parts; p++) begin : gen_part
    logic [BeatBits-1:0] beat;

    assign rdata[p*BeatBits +: BeatBits] = beat;

    cimc_sram_1r1w #(
      .Width(BeatBits),
      .Depth(2 * (1 << RowBits))
    ) u_memory (
      .clk_i  (clk_i),
      .we_i   (we_i && 32'(wbeat_i) % Parts == 32'(p)),
      .waddr_i({wset_i, wrow}),
      .wdata_i(wdata_i),
      .re_i   (re_i),
      .raddr_i({rset_i, rrow}),
      .rdata_o(beat)
    );
  end

  always_ff @(posedge clk_i) begin
    if (re_i) select_q <= SelectBits'(32'(rgroup_i) % Groups);
  end

  always_comb begin
    rdata_o = '0;
    for (int i = 0; i < Groups; i++) begin
      if (select_q == SelectBits'(i)) rdata_o = rdata[i*GroupBits +: GroupBits];
    end
  end
endmodule
