// What a command of the DMA moves: numbers of beats, first addresses, strobes at both ends.
module cimc_dma_decode #(
  parameter int CountBits = 21,
  parameter int WeightBits = 1
) (
  /* verilator lint_off UNUSEDSIGNAL */ // the other fields serve while the command runs
  input  logic [cimc_pkg::CMD_DMA_ANY_W-1:0]   command_i,
  /* verilator lint_on UNUSEDSIGNAL */
  output logic [cimc_pkg::CMD_OPCODE_W-1:0]    opcode_o,
  output logic [CountBits-1:0]                 head_beats_o,      // all, or before the weights
  output logic [CountBits-1:0]                 table_beats_o,     // steps or taps, in the head
  output logic [WeightBits-1:0]                weight_beats_o,
  output logic [CountBits-1:0]                 first_parameter_o, // beat in its set
  output logic [cimc_pkg::BeatAddressBits-1:0] dram_beat_o,
  output logic [cimc_pkg::BeatAddressBits-1:0] buffer_beat_o,
  output logic [cimc_pkg::BeatBytes-1:0]       first_strobe_o,
  output logic [cimc_pkg::BeatBytes-1:0]       last_strobe_o,
  // Banks of the command's group
  output logic                                 two_banks_o,
  output logic [cimc_pkg::BankBits-1:0]        first_bank_o,
  output logic [cimc_pkg::BankBits-1:0]        last_bank_o
);
  localparam int IndexBits = cimc_pkg::BeatIndexBits;
  localparam int BeatBytes = cimc_pkg::BeatBytes;
  localparam int BankShift = $clog2(cimc_pkg::ReductionBanks);   // banks of a cluster
  localparam int BeatEntries = BeatBytes / 4;                    // of the step table
  localparam int LutBeats = 256 / BeatBytes;
  localparam int ClusterParameterBeats = 8;                      // twice with two outputs a lane
  localparam int VectorParameterBeats = 8;

  logic [cimc_pkg::CMD_LOAD_DRAM_W-1:0]            dram;   // at the same place in every command
  logic [cimc_pkg::CMD_LOAD_BUFFER_W-1:0]          buffer;
  logic [cimc_pkg::CMD_LOAD_BYTES_W-1:0]           bytes;
  logic [cimc_pkg::CMD_LOAD_WEIGHTS_STEPS_W-1:0]   steps;
  logic [cimc_pkg::CMD_LOAD_WEIGHTS_PACKING_W-1:0] packing;
  logic [cimc_pkg::CMD_LOAD_TAPS_TAPS_W-1:0]       taps;
  logic [cimc_pkg::CMD_LOAD_WEIGHTS_GROUP_W-1:0]   group;
  logic [8*cimc_pkg::Groups-1:0]                   firsts, shifts;
  logic [7:0]                                      first_cluster, cluster_shift;   // of the group
  logic [CountBits-1:0]                            parameter_beats, covered;
  logic [IndexBits-1:0]                            last_byte;   // its place in its beat

  assign opcode_o = command_i[cimc_pkg::CMD_OPCODE_LSB +: cimc_pkg::CMD_OPCODE_W];
  assign dram     = command_i[cimc_pkg::CMD_LOAD_DRAM_LSB +: cimc_pkg::CMD_LOAD_DRAM_W];
  assign buffer   = command_i[cimc_pkg::CMD_LOAD_BUFFER_LSB +: cimc_pkg::CMD_LOAD_BUFFER_W];
  assign bytes    = command_i[cimc_pkg::CMD_LOAD_BYTES_LSB +: cimc_pkg::CMD_LOAD_BYTES_W];
  assign steps    = command_i[cimc_pkg::CMD_LOAD_WEIGHTS_STEPS_LSB
                              +: cimc_pkg::CMD_LOAD_WEIGHTS_STEPS_W];
  assign packing  = command_i[cimc_pkg::CMD_LOAD_WEIGHTS_PACKING_LSB
                              +: cimc_pkg::CMD_LOAD_WEIGHTS_PACKING_W];
  assign taps     = command_i[cimc_pkg::CMD_LOAD_TAPS_TAPS_LSB +: cimc_pkg::CMD_LOAD_TAPS_TAPS_W];
  assign group    = command_i[cimc_pkg::CMD_LOAD_WEIGHTS_GROUP_LSB
                              +: cimc_pkg::CMD_LOAD_WEIGHTS_GROUP_W];

  assign firsts        = cimc_pkg::GroupFirsts;
  assign shifts        = cimc_pkg::GroupShifts;
  assign first_cluster = firsts[8*32'(group) +: 8];
  assign cluster_shift = shifts[8*32'(group) +: 8];

  assign dram_beat_o    = dram[cimc_pkg::CMD_LOAD_DRAM_W-1 : IndexBits];
  assign buffer_beat_o  = cimc_pkg::BeatAddressBits'(buffer >> IndexBits);
  assign last_byte      = dram[IndexBits-1:0] + bytes[IndexBits-1:0] - 1'b1;
  assign first_strobe_o = {BeatBytes{1'b1}} << dram[IndexBits-1:0];
  assign last_strobe_o  = {BeatBytes{1'b1}} >> ~last_byte;

  assign two_banks_o  = packing == cimc_pkg::PACKING_BANKS;
  assign first_bank_o = cimc_pkg::BankBits'(first_cluster << BankShift);
  assign last_bank_o  = cimc_pkg::BankBits'(((first_cluster + (8'd1 << cluster_shift)) << BankShift)
                                            - 8'd1);
  assign weight_beats_o = WeightBits'(steps)
                          << (8'(BankShift) + cluster_shift - 8'(two_banks_o));
  assign first_parameter_o = (opcode_o == cimc_pkg::OP_LOAD_WEIGHTS)
                             ? CountBits'(first_cluster) * CountBits'(ClusterParameterBeats) : '0;

  always_comb begin
    parameter_beats = '0;
    if (command_i[cimc_pkg::CMD_LOAD_WEIGHTS_HAS_PARAMS_LSB]) begin
      parameter_beats = CountBits'(ClusterParameterBeats)
                        << (cluster_shift + 8'(packing == cimc_pkg::PACKING_LANES));
    end
    covered = CountBits'(({1'b0, bytes}
                          + (cimc_pkg::CMD_LOAD_BYTES_W+1)'(dram[IndexBits-1:0])
                          + (cimc_pkg::CMD_LOAD_BYTES_W+1)'(BeatBytes - 1)) >> IndexBits);
    table_beats_o = (CountBits'(steps) + CountBits'(BeatEntries - 1)) >> $clog2(BeatEntries);
    case (opcode_o)
      cimc_pkg::OP_LOAD,
      cimc_pkg::OP_STORE:        head_beats_o = covered;
      cimc_pkg::OP_LOAD_LUT:     head_beats_o = CountBits'(LutBeats);
      cimc_pkg::OP_LOAD_WEIGHTS: head_beats_o = table_beats_o + parameter_beats;
      cimc_pkg::OP_LOAD_TAPS: begin
        table_beats_o = CountBits'(taps);
        head_beats_o  = table_beats_o + CountBits'(VectorParameterBeats);
      end
      default: head_beats_o = CountBits'(cimc_pkg::BlockBeats);   // FETCH
    endcase
  end
endmodule
