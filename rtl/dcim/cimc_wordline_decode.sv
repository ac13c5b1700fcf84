// Operand decoder of one reduction position: activation code to magnitude and sign.
//
// N = |code - zero| in `bits` bits, masked to the bits of this read. The row of the access is read
// unless N is 0; N goes to the multipliers of the lanes beside it.
module cimc_wordline_decode (
  input  logic       clk_i,
  input  logic       valid_i,
  input  logic [7:0] code_i,
  input  logic [7:0] mask_i,
  // Configuration, stable during a command
  input  logic       signed_i,
  input  logic signed [cimc_pkg::CMD_ARRAY_A_ZERO_W-1:0] zero_i,
  input  logic [3:0] bits_i,
  /* verilator lint_off UNUSEDSIGNAL */ // rows are whole weights
  input  logic [2:0] top_i,
  input  logic       first_row_i,
  input  logic       left_justify_i,
  /* verilator lint_on UNUSEDSIGNAL */
  // Registered
  output logic [cimc_pkg::WordlineWindow-1:0] wordlines_o,
  output logic [cimc_pkg::OperandBits-1:0]    operand_o,
  output logic       negative_o
);
  always_ff @(posedge clk_i) begin : p_decode
    logic [9:0] difference;
    logic [7:0] magnitude;
    if (valid_i) begin
      difference = {{2{signed_i && code_i[7]}}, code_i} - 10'(zero_i);
      magnitude  = 8'(difference[9] ? -difference : difference);
      magnitude  = magnitude & ~(8'hff << bits_i) & mask_i;
      wordlines_o <= cimc_pkg::WordlineWindow'(magnitude != '0);
      operand_o   <= magnitude;
      negative_o  <= difference[9];
    end
  end
endmodule
