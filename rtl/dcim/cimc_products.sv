// Products of one bank: a digital multiplier a lane, the one of the bank group.
module cimc_products #(
  parameter int Group = 0
) (
  input  logic                                             used_i,     // low: operand stands at 0
  /* verilator lint_off UNUSEDSIGNAL */ // a lane has one multiplier
  input  logic                                             dual_i,
  /* verilator lint_on UNUSEDSIGNAL */
  input  logic [cimc_pkg::Lanes*cimc_pkg::LaneColumns-1:0] stored_i,   // weight magnitudes
  input  logic [cimc_pkg::OperandBits-1:0]                 operand_i,  // activation magnitude
  output logic [cimc_pkg::Lanes*cimc_pkg::ProductBits-1:0] products_o
);
  logic [cimc_pkg::OperandBits-1:0] operand;

  assign operand = used_i ? operand_i : '0;

  for (genvar l = 0; l < cimc_pkg::Lanes; l++) begin : gen_lane
    cimc_multiplier #(
      .Group(Group)
    ) u_multiplier (
      .stored_i   (stored_i[l*cimc_pkg::LaneColumns +: cimc_pkg::OperandBits]),
      .broadcast_i(operand),
      .product_o  (products_o[l*cimc_pkg::ProductBits +: cimc_pkg::ProductBits])
    );
  end
endmodule
