// Wordline decoder of one reduction position: activation code to wordlines, operand and sign.
//
// N = |code - zero| in `bits` bits, left-justified if asked for, masked to the bits of this read.
// Bit i of N below top = bits - pc_bits turns on plain row i; the bits from top up, as a number T,
// turn on the one pre-computed row of T.
module cimc_wordline_decode (
  input  logic       clk_i,
  input  logic       valid_i,
  input  logic [7:0] code_i,
  input  logic [7:0] mask_i,
  // Configuration, stable during a command
  input  logic       signed_i,
  input  logic signed [cimc_pkg::CMD_ARRAY_A_ZERO_W-1:0] zero_i,
  input  logic [3:0] bits_i,
  input  logic [2:0] top_i,
  input  logic       first_row_i,
  input  logic       left_justify_i,
  // Registered
  output logic [cimc_pkg::WordlineWindow-1:0] wordlines_o,
  output logic [cimc_pkg::OperandBits-1:0]    operand_o,   // shift, to be undone
  output logic       negative_o
);
  localparam int Window = cimc_pkg::WordlineWindow;

  always_ff @(posedge clk_i) begin : p_decode
    logic [9:0]        difference;
    logic [7:0]        magnitude, plain_mask;
    logic [2:0]        shift;
    logic [3:0]        t;
    logic [Window-1:0] wordlines;
    if (valid_i) begin
      difference = {{2{signed_i && code_i[7]}}, code_i} - 10'(zero_i);
      magnitude  = 8'(difference[9] ? -difference : difference);
      magnitude  = magnitude & ~(8'hff << bits_i);
      shift      = '0;
      for (int i = 0; i < 8; i++) begin
        if (left_justify_i && magnitude[i]) shift = 3'(bits_i - 4'd1 - 4'(i));
      end
      magnitude  = (magnitude << shift) & mask_i;
      plain_mask = ~(8'hff << top_i);
      t          = 4'(magnitude >> top_i);
      wordlines  = Window'(magnitude & plain_mask) >> first_row_i;
      if (t != '0) wordlines = wordlines | (Window'(1) << (5'(top_i) - 5'(first_row_i)
                                                           + 5'(t) - 5'd1));
      wordlines_o <= wordlines;
      operand_o   <= shift;
      negative_o  <= difference[9];
    end
  end
endmodule
