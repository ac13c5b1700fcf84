// Instruction memory: two blocks of commands, filled by beats, read by commands.
module cimc_instruction_memory (
  input  logic                                clk_i,
  input  logic                                we_i,
  input  logic                                whalf_i,
  input  logic [$clog2(cimc_pkg::BlockBeats)-1:0] wbeat_i,
  input  logic [cimc_pkg::BeatBits-1:0]       wdata_i,
  input  logic                                re_i,
  input  logic [cimc_pkg::CommandIndexBits:0] rindex_i,  // half, command in the block
  output logic [cimc_pkg::CommandBits-1:0]    rdata_o
);
  localparam int CommandBeats = cimc_pkg::CommandBits / cimc_pkg::BeatBits;  // 2 at least
  localparam int PartBits = $clog2(CommandBeats);
  localparam int WordBits = $clog2(cimc_pkg::BlockCommands);

  for (genvar i = 0; i < CommandBeats; i++) begin : gen_part
    cimc_sram_1r1w #(
      .Width(cimc_pkg::BeatBits),
      .Depth(2 * cimc_pkg::BlockCommands)
    ) u_memory (
      .clk_i  (clk_i),
      .we_i   (we_i && wbeat_i[PartBits-1:0] == PartBits'(i)),
      .waddr_i({whalf_i, wbeat_i[PartBits +: WordBits]}),
      .wdata_i(wdata_i),
      .re_i   (re_i),
      .raddr_i(rindex_i),
      .rdata_o(rdata_o[i*cimc_pkg::BeatBits +: cimc_pkg::BeatBits])
    );
  end
endmodule
