// Row generator of one bank: writes the physical rows of a row-group, one a cycle.
//
// Plain rows M << i for i = first_row .. top - 1 (top = n - k), then T * M << top for T = 1, 2, ..
// Each row follows from the one before: the next plain row, and T = 1, is a shift; the next T adds
// M << top. The low `cut` columns of every lane are cleared as they are written.
module cimc_row_generator (
  input  logic clk_i,
  input  logic rst_ni,
  // A row-group
  input  logic                             load_i,
  input  logic [8*cimc_pkg::Lanes-1:0]     magnitudes_i,
  input  logic [cimc_pkg::Lanes-1:0]       signs_i,
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

  logic [cimc_pkg::CMD_LOAD_WEIGHTS_ROWS_W-1:0] left_q;
  logic [cimc_pkg::BankRowBits-1:0] row_q;
  logic [3:0]         plain_q;    // number of the plain row that is written, top for T >= 1
  logic [Columns-1:0] value_q;    // no lane ever carries into the next one
  logic [Columns-1:0] addend_q;
  logic [Lanes-1:0]   signs_q;
  logic               active;

  assign active = left_q != '0;

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) left_q <= '0;
    else if (load_i) left_q <= rows_i;
    else if (active) left_q <= left_q - 1'b1;
  end

  always_ff @(posedge clk_i) begin : p_value
    logic [Columns-1:0] spread;
    if (load_i) begin
      spread = '0;
      for (int l = 0; l < Lanes; l++) begin
        spread[l*LaneColumns +: 8] = magnitudes_i[8*l +: 8];
      end
      value_q  <= first_row_i ? spread << 1 : spread;
      addend_q <= spread << top_i;
      signs_q  <= signs_i;
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
    if (active) data_o = {signs_q, value_q & {Lanes{keep_i}}};
  end
  assign we_o  = active;
  assign row_o = row_q;

`ifdef CIMC_ASSERT
  always @(posedge clk_i) begin
    if (load_i && left_q > 1) $fatal(1, "%m: row-group before the last one is written");
  end
`endif
endmodule
