// Requantisation of a group of lanes: ((acc + bias) * M) / 2^S, rounded half to even and clamped
// to 11 bits. acc_i is taken in the cycle valid_i is high, its parameters one cycle later; the
// result stands at value_o five cycles after valid_i.
module cimc_requant (
  input  logic clk_i,
  input  logic rst_ni,
  input  logic                                    valid_i,
  input  logic [32*cimc_pkg::RequantLanes-1:0]    acc_i,
  input  logic [64*cimc_pkg::RequantLanes-1:0]    parameters_i,  // bias 0..31, M 32..55, S 56..61
  output logic                                    valid_o,
  output logic [11*cimc_pkg::RequantLanes-1:0]    value_o
);
  localparam int Lanes = cimc_pkg::RequantLanes;
  localparam int PartBits = 32 + 12 + 1;   // signed 32 by unsigned 12
  localparam int ProductBits = 32 + 24;

  logic valid1_q, valid2_q, valid3_q, valid4_q;

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) {valid_o, valid4_q, valid3_q, valid2_q, valid1_q} <= '0;
    else {valid_o, valid4_q, valid3_q, valid2_q, valid1_q}
           <= {valid4_q, valid3_q, valid2_q, valid1_q, valid_i};
  end

  logic [32*Lanes-1:0]          acc_q, biased_q;
  logic [24*Lanes-1:0]          factor_q;
  logic [6*Lanes-1:0]           shift2_q, shift3_q, shift4_q;
  logic [PartBits*Lanes-1:0]    low_q, high_q;
  logic [ProductBits*Lanes-1:0] product_q;

  always_ff @(posedge clk_i) begin
    if (valid_i) acc_q <= acc_i;
    for (int l = 0; l < Lanes; l++) begin
      if (valid1_q) begin
        biased_q[32*l +: 32] <= acc_q[32*l +: 32] + parameters_i[64*l +: 32];
        factor_q[24*l +: 24] <= parameters_i[64*l + 32 +: 24];
        shift2_q[6*l +: 6]   <= parameters_i[64*l + 56 +: 6];
      end
      if (valid2_q) begin
        low_q[PartBits*l +: PartBits]  <= PartBits'($signed(biased_q[32*l +: 32]))
                                        * PartBits'(factor_q[24*l +: 12]);
        high_q[PartBits*l +: PartBits] <= PartBits'($signed(biased_q[32*l +: 32]))
                                        * PartBits'(factor_q[24*l + 12 +: 12]);
        shift3_q[6*l +: 6]             <= shift2_q[6*l +: 6];
      end
      if (valid3_q) begin
        product_q[ProductBits*l +: ProductBits]
          <= ProductBits'($signed(low_q[PartBits*l +: PartBits]))
           + {high_q[PartBits*l +: ProductBits-12], 12'd0};
        shift4_q[6*l +: 6] <= shift3_q[6*l +: 6];
      end
      if (valid4_q) begin
        value_o[11*l +: 11] <= cimc_math_pkg::round_shift(
          64'($signed(product_q[ProductBits*l +: ProductBits])), shift4_q[6*l +: 6]);
      end
    end
  end
endmodule
