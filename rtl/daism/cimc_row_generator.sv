// Row generator of one bank: writes the physical rows of a row-group, one a cycle.
//
// Plain rows M << i for i = first_row .. top - 1 (top = n - k), then T * M << top for T = 1, 2, ..
// Each row follows from the one before: the next plain row, and T = 1, is a shift; the next T adds
// M << top. The low `cut` columns of every lane are cleared as they are written.
//
// A lane that is shared has such a row in each of its halves, of two weights whose products do not
// reach the top column of the low half: that one holds the sign of the first weight.
module cimc_row_generator (
  input  logic clk_i,
  input  logic rst_ni,
  // A row-group
  input  logic                             load_i,
  input  logic                             take_second_i,  // the second weight of a byte is its own
  input  logic                             dual_i,         // both are
  input  logic [8*cimc_pkg::Lanes-1:0]     magnitudes_i,
  input  logic [cimc_pkg::Lanes-1:0]       signs_i,
  input  logic [8*cimc_pkg::Lanes-1:0]     second_magnitudes_i,
  input  logic [cimc_pkg::Lanes-1:0]       second_signs_i,
  input  logic [cimc_pkg::BankRowBits-1:0] row_i,        // its first row
  // Configuration, stable from load_i to the last row
  input  logic [cimc_pkg::CMD_LOAD_WEIGHTS_ROWS_W-1:0] rows_i,
  input  logic [2:0]                       top_i,
  input  logic                             first_row_i,
  input  logic [cimc_pkg::LaneColumns-1:0] keep_i,       // columns that are not cut
  // Write port of the bank
  output logic                             we_o,
  output logic [cimc_pkg::BankRowBits-1:0] row_o,
  output logic [cimc_pkg::RowColumns-1:0]  data_o
);
  localparam int Lanes = cimc_pkg::Lanes;
  localparam int LaneColumns = cimc_pkg::LaneColumns;
  localparam int Columns = Lanes * LaneColumns;
  localparam int Half = LaneColumns / 2;

  logic [cimc_pkg::CMD_LOAD_WEIGHTS_ROWS_W-1:0] left_q;
  logic [cimc_pkg::BankRowBits-1:0] row_q;
  logic [3:0]         plain_q;    // number of the plain row that is written, top for T >= 1
  logic [Columns-1:0] value_q;    // no lane ever carries into the next one
  logic [Columns-1:0] addend_q;
  logic [Columns-1:0] low_signs_q;  // of first weights, at the top of the low halves
  logic [Lanes-1:0]   signs_q;
  logic               active;

  assign active = left_q != '0;

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) left_q <= '0;
    else if (load_i) left_q <= rows_i;
    else if (active) left_q <= left_q - 1'b1;
  end

  always_ff @(posedge clk_i) begin : p_value
    logic [Columns-1:0] spread, low_signs;
    if (load_i) begin
      spread    = '0;
      low_signs = '0;
      for (int l = 0; l < Lanes; l++) begin
        spread[l*LaneColumns +: 8] = take_second_i ? second_magnitudes_i[8*l +: 8]
                                                   : magnitudes_i[8*l +: 8];
      end
      if (dual_i) begin
        for (int l = 0; l < Lanes; l++) begin
          spread[l*LaneColumns+Half +: Half] = Half'(second_magnitudes_i[8*l +: 8]);
          low_signs[l*LaneColumns+Half-1]    = signs_i[l];
        end
      end
      value_q  <= first_row_i ? spread << 1 : spread;
      addend_q <= spread << top_i;
      signs_q  <= (take_second_i || dual_i) ? second_signs_i : signs_i;
      low_signs_q <= low_signs;
      plain_q  <= 4'(first_row_i);
      row_q    <= row_i;
    end else if (active) begin
      row_q <= row_q + 1'b1;
      if (plain_q < 4'(top_i)) begin
        plain_q <= plain_q + 1'b1;
        value_q <= value_q << 1;
      end else begin
        value_q <= value_q + addend_q;
      end
    end
  end

  always_comb begin
    data_o = '0;
    if (active) data_o = {signs_q, (value_q & {Lanes{keep_i}}) | low_signs_q};
  end
  assign we_o  = active;
  assign row_o = row_q;

`ifdef CIMC_ASSERT
  always @(posedge clk_i) begin
    if (load_i && left_q > 1) $fatal(1, "%m: row-group before the last one is written");
  end
`endif
endmodule
