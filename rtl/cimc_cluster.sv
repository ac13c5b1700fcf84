// Adder tree and accumulators of one cluster.
//
// Stage 6: lane products of the banks (cimc_products), signed and added in pairs.
// Stage 7: sum of the pairs. Stage 8: accumulators, from 0, a partial sum or themselves.
module cimc_cluster #(
  parameter int Group = 0   // of banks
) (
  input  logic clk_i,
  // Stage 6: bank c of the cluster is bits c of each vector
  input  logic                                                       products_valid_i,
  input  logic [cimc_pkg::ReductionBanks*cimc_pkg::RowColumns-1:0]   rows_i,
  input  logic [cimc_pkg::ReductionBanks-1:0]                        used_i,   // low: product 0
  input  logic [cimc_pkg::OperandBits*cimc_pkg::ReductionBanks-1:0]  operand_i,
  input  logic [cimc_pkg::ReductionBanks-1:0]                        negative_i,
  // Stage 7
  input  logic                                                       pairs_valid_i,
  // Stage 8
  input  logic                                                       sums_valid_i,
  input  logic                                                       first_i,
  input  logic                                                       hold_i,   // last, not partial
  input  logic                                                       psum_in_i,
  input  logic [32*cimc_pkg::Lanes-1:0]                              psum_i,
  // Registered
  output logic [32*cimc_pkg::Lanes-1:0]                              acc_o,
  output logic [32*cimc_pkg::Lanes-1:0]                              hold_o
);
  localparam int Lanes = cimc_pkg::Lanes;
  localparam int Columns = cimc_pkg::Lanes * cimc_pkg::LaneColumns;
  localparam int RowColumns = cimc_pkg::RowColumns;
  localparam int ProductBits = cimc_pkg::ProductBits;
  localparam int OperandBits = cimc_pkg::OperandBits;
  localparam int Terms = (cimc_pkg::ReductionBanks > 1) ? 2 : 1;
  localparam int Pairs = cimc_pkg::ReductionBanks / Terms;
  localparam int PairBits = ProductBits + Terms;  // two's complement
  localparam int SumBits = PairBits + $clog2(Pairs);

  logic [cimc_pkg::ReductionBanks*Lanes*ProductBits-1:0] products;

  for (genvar c = 0; c < cimc_pkg::ReductionBanks; c++) begin : gen_products
    cimc_products #(
      .Group(Group)
    ) u_products (
      .used_i    (products_valid_i && used_i[c]),
      .stored_i  (rows_i[c*RowColumns +: Columns]),
      .operand_i (operand_i[c*OperandBits +: OperandBits]),
      .products_o(products[c*Lanes*ProductBits +: Lanes*ProductBits])
    );
  end

  logic [Pairs*Lanes*PairBits-1:0] pairs;

  for (genvar p = 0; p < Pairs; p++) begin : gen_pair
    logic [Lanes*PairBits-1:0] pair_q;

    always_ff @(posedge clk_i) begin : p_products
      logic [Lanes*PairBits-1:0] sums;
      logic [ProductBits-1:0]    product;
      logic                      negative;
      if (products_valid_i) begin
        sums = '0;
        for (int t = 0; t < Terms; t++) begin
          if (used_i[p*Terms+t]) begin
            for (int l = 0; l < Lanes; l++) begin
              product  = products[((p*Terms+t)*Lanes + l)*ProductBits +: ProductBits];
              negative = rows_i[(p*Terms+t)*RowColumns + Columns + l] ^ negative_i[p*Terms+t];
              sums[l*PairBits +: PairBits] = sums[l*PairBits +: PairBits]
                + (PairBits'(product) ^ {PairBits{negative}}) + PairBits'(negative);
            end
          end
        end
        pair_q <= sums;
      end
    end

    assign pairs[p*Lanes*PairBits +: Lanes*PairBits] = pair_q;
  end

  logic [Lanes*SumBits-1:0] sums_q;

  always_ff @(posedge clk_i) begin : p_sum
    logic [Lanes*SumBits-1:0] sums;
    logic [PairBits-1:0]      pair;
    if (pairs_valid_i) begin
      sums = '0;
      for (int l = 0; l < Lanes; l++) begin
        for (int p = 0; p < Pairs; p++) begin
          pair = pairs[(p*Lanes + l)*PairBits +: PairBits];
          sums[l*SumBits +: SumBits] = sums[l*SumBits +: SumBits] + SumBits'($signed(pair));
        end
      end
      sums_q <= sums;
    end
  end

  always_ff @(posedge clk_i) begin : p_accumulate
    logic [32*Lanes-1:0] next;
    logic [SumBits-1:0]  sum;
    if (sums_valid_i) begin
      next = acc_o;
      if (first_i) next = psum_in_i ? psum_i : '0;
      for (int l = 0; l < Lanes; l++) begin
        sum = sums_q[l*SumBits +: SumBits];
        next[32*l +: 32] = next[32*l +: 32] + 32'($signed(sum));
      end
      acc_o <= next;
      if (hold_i) hold_o <= next;
    end
  end
endmodule
