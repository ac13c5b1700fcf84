// Adder tree and accumulators of one cluster.
//
// Stage 6: lane products of the banks (cimc_products), signed and added in pairs.
// Stage 7: sum of the pairs. Stage 8: accumulators, from 0, a partial sum or themselves.
//
// A lane whose halves hold two weights (`dual_i`) has two products and two of everything behind
// them: those of the high half are named so, and stand still otherwise.
module cimc_cluster #(
  parameter int Group = 0   // of banks
) (
  input  logic clk_i,
  input  logic dual_i,
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
  input  logic [32*cimc_pkg::Lanes-1:0]                              high_psum_i,
  // Registered
  output logic [32*cimc_pkg::Lanes-1:0]                              acc_o,
  output logic [32*cimc_pkg::Lanes-1:0]                              high_acc_o,
  output logic [32*cimc_pkg::Lanes-1:0]                              hold_o,
  output logic [32*cimc_pkg::Lanes-1:0]                              high_hold_o
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
  localparam int LaneColumns = cimc_pkg::LaneColumns;
  localparam int Half = LaneColumns / 2;
  localparam int HighPairBits = Half + Terms;
  localparam int HighSumBits = HighPairBits + $clog2(Pairs);

  logic [cimc_pkg::ReductionBanks*Lanes*ProductBits-1:0] products;

  for (genvar c = 0; c < cimc_pkg::ReductionBanks; c++) begin : gen_products
    cimc_products #(
      .Group(Group)
    ) u_products (
      .used_i    (products_valid_i && used_i[c]),
      .dual_i    (dual_i),
      .stored_i  (rows_i[c*RowColumns +: Columns]),
      .operand_i (operand_i[c*OperandBits +: OperandBits]),
      .products_o(products[c*Lanes*ProductBits +: Lanes*ProductBits])
    );
  end

  logic [Pairs*Lanes*PairBits-1:0]     pairs;
  logic [Pairs*Lanes*HighPairBits-1:0] high_pairs;

  for (genvar p = 0; p < Pairs; p++) begin : gen_pair
    logic [Lanes*PairBits-1:0]     pair_q;
    logic [Lanes*HighPairBits-1:0] high_pair_q;

    always_ff @(posedge clk_i) begin : p_products
      logic [Lanes*PairBits-1:0] sums;
      logic [ProductBits-1:0]    product;
      logic                      negative;
      logic [Lanes*HighPairBits-1:0] high_sums;
      logic [Half-2:0]           low;
      logic [Half-1:0]           high;
      if (products_valid_i) begin
        sums = '0;
        for (int t = 0; t < Terms; t++) begin
          if (used_i[p*Terms+t] && !dual_i) begin
            for (int l = 0; l < Lanes; l++) begin
              product  = products[((p*Terms+t)*Lanes + l)*ProductBits +: ProductBits];
              negative = rows_i[(p*Terms+t)*RowColumns + Columns + l] ^ negative_i[p*Terms+t];
              sums[l*PairBits +: PairBits] = sums[l*PairBits +: PairBits]
                + (PairBits'(product) ^ {PairBits{negative}}) + PairBits'(negative);
            end
          end
        end
        if (dual_i) begin
          high_sums = '0;
          for (int t = 0; t < Terms; t++) begin
            if (used_i[p*Terms+t]) begin
              for (int l = 0; l < Lanes; l++) begin
                low      = products[((p*Terms+t)*Lanes + l)*ProductBits +: Half-1];
                negative = rows_i[(p*Terms+t)*RowColumns + l*LaneColumns + Half-1]
                           ^ negative_i[p*Terms+t];
                sums[l*PairBits +: PairBits] = sums[l*PairBits +: PairBits]
                  + (PairBits'(low) ^ {PairBits{negative}}) + PairBits'(negative);
                high     = products[((p*Terms+t)*Lanes + l)*ProductBits + Half +: Half];
                negative = rows_i[(p*Terms+t)*RowColumns + Columns + l] ^ negative_i[p*Terms+t];
                high_sums[l*HighPairBits +: HighPairBits]
                  = high_sums[l*HighPairBits +: HighPairBits]
                    + (HighPairBits'(high) ^ {HighPairBits{negative}}) + HighPairBits'(negative);
              end
            end
          end
          high_pair_q <= high_sums;
        end
        pair_q <= sums;
      end
    end

    assign pairs[p*Lanes*PairBits +: Lanes*PairBits] = pair_q;
    assign high_pairs[p*Lanes*HighPairBits +: Lanes*HighPairBits] = high_pair_q;
  end

  logic [Lanes*SumBits-1:0]     sums_q;
  logic [Lanes*HighSumBits-1:0] high_sums_q;

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

  always_ff @(posedge clk_i) begin : p_high_sum
    logic [Lanes*HighSumBits-1:0] sums;
    logic [HighPairBits-1:0]      pair;
    if (pairs_valid_i && dual_i) begin
      sums = '0;
      for (int l = 0; l < Lanes; l++) begin
        for (int p = 0; p < Pairs; p++) begin
          pair = high_pairs[(p*Lanes + l)*HighPairBits +: HighPairBits];
          sums[l*HighSumBits +: HighSumBits] = sums[l*HighSumBits +: HighSumBits]
                                               + HighSumBits'($signed(pair));
        end
      end
      high_sums_q <= sums;
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

  always_ff @(posedge clk_i) begin : p_high_accumulate
    logic [32*Lanes-1:0]    next;
    logic [HighSumBits-1:0] sum;
    if (sums_valid_i && dual_i) begin
      next = high_acc_o;
      if (first_i) next = psum_in_i ? high_psum_i : '0;
      for (int l = 0; l < Lanes; l++) begin
        sum = high_sums_q[l*HighSumBits +: HighSumBits];
        next[32*l +: 32] = next[32*l +: 32] + 32'($signed(sum));
      end
      high_acc_o <= next;
      if (hold_i) high_hold_o <= next;
    end
  end
endmodule
