// Row generator of one bank: writes the weights of a row in the cycle after they came.
module cimc_row_generator (
  input  logic clk_i,
  input  logic rst_ni,
  // A row
  input  logic                             load_i,
  input  logic                             take_second_i,  // the second weight of a byte is its own
  input  logic [8*cimc_pkg::Lanes-1:0]     magnitudes_i,
  input  logic [cimc_pkg::Lanes-1:0]       signs_i,
  input  logic [8*cimc_pkg::Lanes-1:0]     second_magnitudes_i,
  input  logic [cimc_pkg::Lanes-1:0]       second_signs_i,
  input  logic [cimc_pkg::BankRowBits-1:0] row_i,
  /* verilator lint_off UNUSEDSIGNAL */ // nothing is pre-computed, a lane holds one weight
  input  logic                             dual_i,
  input  logic [cimc_pkg::CMD_LOAD_WEIGHTS_ROWS_W-1:0] rows_i,
  input  logic [2:0]                       top_i,
  input  logic                             first_row_i,
  input  logic [cimc_pkg::LaneColumns-1:0] keep_i,
  /* verilator lint_on UNUSEDSIGNAL */
  // Write port of the bank
  output logic                             we_o,
  output logic [cimc_pkg::BankRowBits-1:0] row_o,
  output logic [cimc_pkg::RowColumns-1:0]  data_o
);
  localparam int Lanes = cimc_pkg::Lanes;
  localparam int LaneColumns = cimc_pkg::LaneColumns;

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) we_o <= 1'b0;
    else we_o <= load_i;
  end

  always_ff @(posedge clk_i) begin : p_row
    logic [Lanes*LaneColumns-1:0] row;
    if (load_i) begin
      row = '0;
      for (int l = 0; l < Lanes; l++) begin
        row[l*LaneColumns +: 8] = take_second_i ? second_magnitudes_i[8*l +: 8]
                                                : magnitudes_i[8*l +: 8];
      end
      data_o <= {take_second_i ? second_signs_i : signs_i, row};
      row_o  <= row_i;
    end
  end
endmodule
