// Row generators: one decoder of weight codes, one generator a bank.
module cimc_weight_rows (
  input  logic clk_i,
  input  logic rst_ni,
  // A beat of weight codes
  input  logic                               valid_i,
  input  logic [cimc_pkg::BeatBits-1:0]      codes_i,
  input  logic [cimc_pkg::BankBits-1:0]      bank_i,
  input  logic [cimc_pkg::BankRowBits-1:0]   row_i,      // first row of the row-group
  /* verilator lint_off UNUSEDSIGNAL */ // a few fields of LOAD_WEIGHTS
  input  logic [cimc_pkg::CMD_DMA_ANY_W-1:0] command_i,
  /* verilator lint_on UNUSEDSIGNAL */
  // Write ports of the banks: bank b is bits b of each vector
  output logic [cimc_pkg::Banks-1:0]                       row_we_o,
  output logic [cimc_pkg::Banks*cimc_pkg::BankRowBits-1:0] row_addr_o,
  output logic [cimc_pkg::Banks*cimc_pkg::RowColumns-1:0]  row_data_o
);
  localparam int RowBits = cimc_pkg::BankRowBits;
  localparam int RowColumns = cimc_pkg::RowColumns;
  localparam int LaneColumns = cimc_pkg::LaneColumns;

  logic [8*cimc_pkg::Lanes-1:0] magnitudes, second_magnitudes;
  logic [cimc_pkg::Lanes-1:0]   signs, second_signs;
  logic [LaneColumns-1:0]       keep;
  logic [LaneColumns/2-1:0]     half_keep;
  logic [2:0]                   top;
  logic [cimc_pkg::CMD_LOAD_WEIGHTS_CUT_W-1:0]     cut;
  logic [cimc_pkg::CMD_LOAD_WEIGHTS_PACKING_W-1:0] packing;
  logic                         two_banks, two_a_lane;

  assign cut        = command_i[cimc_pkg::CMD_LOAD_WEIGHTS_CUT_LSB
                                +: cimc_pkg::CMD_LOAD_WEIGHTS_CUT_W];
  assign packing    = command_i[cimc_pkg::CMD_LOAD_WEIGHTS_PACKING_LSB
                                +: cimc_pkg::CMD_LOAD_WEIGHTS_PACKING_W];
  assign two_banks  = packing == cimc_pkg::PACKING_BANKS;
  assign two_a_lane = packing == cimc_pkg::PACKING_LANES;
  assign half_keep  = {(LaneColumns/2){1'b1}} << cut;
  assign keep       = two_a_lane ? {half_keep, half_keep} : {LaneColumns{1'b1}} << cut;
  assign top = 3'(command_i[cimc_pkg::CMD_LOAD_WEIGHTS_BITS_LSB
                            +: cimc_pkg::CMD_LOAD_WEIGHTS_BITS_W]
                - 4'(command_i[cimc_pkg::CMD_LOAD_WEIGHTS_PC_BITS_LSB
                               +: cimc_pkg::CMD_LOAD_WEIGHTS_PC_BITS_W]));

  cimc_weight_decode u_weight_decode (
    .valid_i            (valid_i),
    .codes_i            (codes_i),
    .packed_i           (two_banks || two_a_lane),
    .signed_i           (command_i[cimc_pkg::CMD_LOAD_WEIGHTS_W_SIGNED_LSB]),
    .zero_i             (command_i[cimc_pkg::CMD_LOAD_WEIGHTS_W_ZERO_LSB
                                   +: cimc_pkg::CMD_LOAD_WEIGHTS_W_ZERO_W]),
    .magnitudes_o       (magnitudes),
    .signs_o            (signs),
    .second_magnitudes_o(second_magnitudes),
    .second_signs_o     (second_signs)
  );

  for (genvar b = 0; b < cimc_pkg::Banks; b++) begin : gen_rows
    // Icarus 11 takes a loop variable in a port expression for a new wire.
    logic load, load_of_pair, second;
    assign load         = bank_i == cimc_pkg::BankBits'(b);
    assign load_of_pair = two_banks && bank_i == cimc_pkg::BankBits'(b ^ 1);
    assign second       = two_banks && b % 2 == 1;

    cimc_row_generator u_row_generator (
      .clk_i              (clk_i),
      .rst_ni             (rst_ni),
      .load_i             (valid_i && (load || load_of_pair)),
      .take_second_i      (second),
      .dual_i             (two_a_lane),
      .magnitudes_i       (magnitudes),
      .signs_i            (signs),
      .second_magnitudes_i(second_magnitudes),
      .second_signs_i     (second_signs),
      .row_i              (row_i),
      .rows_i             (command_i[cimc_pkg::CMD_LOAD_WEIGHTS_ROWS_LSB
                                     +: cimc_pkg::CMD_LOAD_WEIGHTS_ROWS_W]),
      .top_i              (top),
      .first_row_i        (command_i[cimc_pkg::CMD_LOAD_WEIGHTS_FIRST_ROW_LSB]),
      .keep_i             (keep),
      .we_o               (row_we_o[b]),
      .row_o              (row_addr_o[b*RowBits +: RowBits]),
      .data_o             (row_data_o[b*RowColumns +: RowColumns])
    );
  end
endmodule
