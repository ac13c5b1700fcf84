// Weight codes of a beat to magnitudes and signs: code - zero point, as sign and 8-bit magnitude.
//
// A byte holds one code or, packed, two of 4 bits: the second one is in its high half.
module cimc_weight_decode (
  input  logic                            valid_i,    // low: outputs stand at 0
  input  logic [cimc_pkg::BeatBits-1:0]   codes_i,
  input  logic                            packed_i,
  input  logic                            signed_i,   // two's complement codes, else unsigned
  input  logic signed [cimc_pkg::CMD_LOAD_WEIGHTS_W_ZERO_W-1:0] zero_i,
  output logic [8*cimc_pkg::Lanes-1:0]    magnitudes_o,
  output logic [cimc_pkg::Lanes-1:0]      signs_o,
  output logic [8*cimc_pkg::Lanes-1:0]    second_magnitudes_o,
  output logic [cimc_pkg::Lanes-1:0]      second_signs_o
);
  always_comb begin : p_decode
    logic [9:0] difference;
    difference          = '0;
    magnitudes_o        = '0;
    signs_o             = '0;
    second_magnitudes_o = '0;
    second_signs_o      = '0;
    if (valid_i && packed_i) begin
      for (int l = 0; l < cimc_pkg::Lanes; l++) begin
        difference = {{6{signed_i && codes_i[8*l+3]}}, codes_i[8*l +: 4]} - 10'(zero_i);
        signs_o[l] = difference[9];
        magnitudes_o[8*l +: 8] = 8'(difference[9] ? -difference : difference);
        difference = {{6{signed_i && codes_i[8*l+7]}}, codes_i[8*l+4 +: 4]} - 10'(zero_i);
        second_signs_o[l] = difference[9];
        second_magnitudes_o[8*l +: 8] = 8'(difference[9] ? -difference : difference);
      end
    end else if (valid_i) begin
      for (int l = 0; l < cimc_pkg::Lanes; l++) begin
        difference = {{2{signed_i && codes_i[8*l+7]}}, codes_i[8*l +: 8]} - 10'(zero_i);
        signs_o[l] = difference[9];
        magnitudes_o[8*l +: 8] = 8'(difference[9] ? -difference : difference);
      end
    end
  end
endmodule
