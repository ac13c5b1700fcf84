// Products of one bank: the bit lines of each lane, left-justification undone.
//
// A lane with two weights has two products, in its halves; the lower one leaves out the sign above.
module cimc_products #(
  /* verilator lint_off UNUSEDPARAM */ // all bank groups are alike
  parameter int Group = 0
  /* verilator lint_on UNUSEDPARAM */
) (
  input  logic                                             used_i,     // low: products stand at 0
  input  logic                                             dual_i,
  input  logic [cimc_pkg::Lanes*cimc_pkg::LaneColumns-1:0] stored_i,   // what the read gave
  input  logic [cimc_pkg::OperandBits-1:0]                 operand_i,  // right shift
  output logic [cimc_pkg::Lanes*cimc_pkg::ProductBits-1:0] products_o
);
  localparam int Bits = cimc_pkg::ProductBits;
  localparam int Half = Bits / 2;

  always_comb begin : p_products
    logic [Bits-1:0] lane;
    lane       = '0;
    products_o = '0;
    if (used_i && dual_i) begin
      for (int l = 0; l < cimc_pkg::Lanes; l++) begin
        products_o[l*Bits +: Half]      = {1'b0, stored_i[l*Bits +: Half-1]} >> operand_i;
        products_o[l*Bits+Half +: Half] = stored_i[l*Bits+Half +: Half] >> operand_i;
      end
    end else if (used_i) begin
      for (int l = 0; l < cimc_pkg::Lanes; l++) begin
        lane = stored_i[l*Bits +: Bits] >> operand_i;
        products_o[l*Bits +: Bits] = lane;
      end
    end
  end
endmodule
