// The array unit: address generator, decoders, banks, adder trees, partial sums, post-processor.
//
// Stages of an access: 0 loop counters, 1 step offset, 2 buffer address, 3 buffer data,
// 4 operand decode, 5 bank read, 6 products, 7 sum, 8 accumulate, 9 partial sum written.
module cimc_array (
  input  logic clk_i,
  input  logic rst_ni,
  // Command
  input  logic                                 start_i,
  input  logic [cimc_pkg::CMD_ARRAY_ANY_W-1:0] command_i,
  output logic                                 done_o,
  // Step table
  output logic                                       step_re_o,
  output logic [cimc_pkg::StepIndexBits-1:0]         step_index_o,
  input  logic [cimc_pkg::ActivationAddressBits-1:0] step_offset_i,
  // Requantisation parameters
  output logic                                 parameter_re_o,
  output logic                                 parameter_set_o,
  output logic [$clog2(2*cimc_pkg::Outputs+1)-1:0] parameter_group_o,
  input  logic [64*cimc_pkg::RequantLanes-1:0] parameters_i,
  // Row generators: bank b is bits b of each vector
  input  logic [cimc_pkg::Banks-1:0]                      row_we_i,
  input  logic [cimc_pkg::Banks*cimc_pkg::BankRowBits-1:0] row_addr_i,
  input  logic [cimc_pkg::Banks*cimc_pkg::RowColumns-1:0] row_data_i,
  // Activation buffer
  output logic                                       buffer_re_o,
  output logic [cimc_pkg::ActivationAddressBits-1:0] buffer_raddr_o,
  input  logic [8*cimc_pkg::WindowBytes-1:0]         buffer_rdata_i,
  output logic                                       buffer_we_o,
  output logic [cimc_pkg::ActivationAddressBits-1:0] buffer_waddr_o,
  output logic [8*cimc_pkg::RequantLanes-1:0]        buffer_wdata_o,
  output logic [cimc_pkg::RequantLanes-1:0]          buffer_wstrb_o
);
  localparam int ReductionBanks = cimc_pkg::ReductionBanks;
  localparam int Window = cimc_pkg::WordlineWindow;
  localparam int OperandBits = cimc_pkg::OperandBits;
  localparam int RowBits = cimc_pkg::BankRowBits;
  localparam int PsumBits = cimc_pkg::PsumIndexBits;
  localparam int PixelBits = cimc_pkg::CMD_ARRAY_NX_W + cimc_pkg::CMD_ARRAY_NY_W;
  localparam int ClusterBits = 32 * cimc_pkg::Lanes;
  localparam int WindowBytes = cimc_pkg::WindowBytes;

  // Fields that are needed while the command runs
  logic [3:0] bits;
  logic [cimc_pkg::CMD_ARRAY_PC_BITS_W-1:0] pc_bits;
  logic [3:0] bits_q;
  logic [2:0] top_q;
  logic       first_row_q, left_justify_q, signed_q, psum_in_q, psum_out_q, dual_q,
                    wide_q;
  logic signed [cimc_pkg::CMD_ARRAY_A_ZERO_W-1:0] zero_q;
  logic [cimc_pkg::Clusters-1:0] active_q;   // clusters of the command's bank group

  assign bits    = command_i[cimc_pkg::CMD_ARRAY_BITS_LSB +: cimc_pkg::CMD_ARRAY_BITS_W];
  assign pc_bits = command_i[cimc_pkg::CMD_ARRAY_PC_BITS_LSB +: cimc_pkg::CMD_ARRAY_PC_BITS_W];

  always_ff @(posedge clk_i) begin
    if (start_i) begin
      bits_q         <= bits;
      top_q          <= 3'(bits - 4'(pc_bits));
      first_row_q    <= command_i[cimc_pkg::CMD_ARRAY_FIRST_ROW_LSB];
      left_justify_q <= command_i[cimc_pkg::CMD_ARRAY_LEFT_JUSTIFY_LSB];
      signed_q       <= command_i[cimc_pkg::CMD_ARRAY_A_SIGNED_LSB];
      zero_q         <= command_i[cimc_pkg::CMD_ARRAY_A_ZERO_LSB +: cimc_pkg::CMD_ARRAY_A_ZERO_W];
      psum_in_q      <= command_i[cimc_pkg::CMD_ARRAY_PSUM_IN_LSB];
      psum_out_q     <= command_i[cimc_pkg::CMD_ARRAY_PSUM_OUT_LSB];
      dual_q         <= cimc_pkg::DualLanes != 0 && command_i[cimc_pkg::CMD_ARRAY_DUAL_LSB];
      wide_q         <= command_i[cimc_pkg::CMD_ARRAY_WIDE_LSB];
      for (int k = 0; k < cimc_pkg::Clusters; k++) begin
        active_q[k] <= cimc_pkg::ClusterGroups[8*k +: 8]
                       == 8'(command_i[cimc_pkg::CMD_ARRAY_GROUP_LSB
                                       +: cimc_pkg::CMD_ARRAY_GROUP_W]);
      end
    end
  end

  // Stages 0 to 2
  logic               valid2, first2, last2;
  logic [7:0]         mask2;
  logic [RowBits-1:0] row2;

  cimc_array_sequencer u_sequencer (
    .clk_i        (clk_i),
    .rst_ni       (rst_ni),
    .start_i      (start_i),
    .command_i    (command_i),
    .step_re_o    (step_re_o),
    .step_index_o (step_index_o),
    .step_offset_i(step_offset_i),
    .valid_o      (valid2),
    .address_o    (buffer_raddr_o),
    .first_o      (first2),
    .last_o       (last2),
    .mask_o       (mask2),
    .row_o        (row2)
  );

  assign buffer_re_o = valid2;

  // What travels beside the data
  logic [8:3]         valid_q;
  logic [8:3]         first_q, last_q;
  logic [7:0]         mask3_q, mask4_q;
  logic [RowBits-1:0] row3_q, row4_q, row5_q;

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) valid_q <= '0;
    else valid_q <= {valid_q[7:3], valid2};
  end

  always_ff @(posedge clk_i) begin
    first_q <= {first_q[7:3], first2};
    last_q  <= {last_q[7:3], last2};
    mask3_q <= mask2;
    mask4_q <= mask3_q;
    row3_q  <= row2;
    row4_q  <= row3_q;
    row5_q  <= row4_q;
  end

  // Stages 3 and 4: one decoder a reduction position, for the banks of every cluster. Where the
  // clusters take further bytes (wide_q), those of other clusters work too.
  logic [8*WindowBytes-1:0] codes_q;
  logic [Window*WindowBytes-1:0] wordlines5;
  logic [OperandBits*WindowBytes-1:0] operand5, operand6_q;
  logic [WindowBytes-1:0]   negative5, negative6_q, used5, used6_q;

  always_ff @(posedge clk_i) begin
    if (valid_q[3]) codes_q <= buffer_rdata_i;
    if (valid_q[5]) begin
      operand6_q  <= operand5;
      negative6_q <= negative5;
      used6_q     <= used5;
    end
  end

  for (genvar c = 0; c < WindowBytes; c++) begin : gen_decode
    logic taken;
    assign taken = valid_q[4] && (c < ReductionBanks || wide_q);

    cimc_wordline_decode u_decode (
      .clk_i         (clk_i),
      .valid_i       (taken),
      .code_i        (codes_q[8*c +: 8]),
      .mask_i        (mask4_q),
      .signed_i      (signed_q),
      .zero_i        (zero_q),
      .bits_i        (bits_q),
      .top_i         (top_q),
      .first_row_i   (first_row_q),
      .left_justify_i(left_justify_q),
      .wordlines_o   (wordlines5[c*Window +: Window]),
      .operand_o     (operand5[c*OperandBits +: OperandBits]),
      .negative_o    (negative5[c])
    );
    assign used5[c] = |wordlines5[c*Window +: Window];
  end

  // Stages 5 to 8, and the partial sums
  logic [64*cimc_pkg::Outputs-1:0] hold;    // first those of first weights
  logic                            hold8, psum_re, psum_we;
  logic [PsumBits-1:0]             psum_read_q, psum_write_q;

  assign hold8   = valid_q[8] && last_q[8] && !psum_out_q;
  assign psum_re = valid_q[7] && first_q[7] && psum_in_q;

  for (genvar k = 0; k < cimc_pkg::Clusters; k++) begin : gen_cluster
    logic [ReductionBanks*cimc_pkg::RowColumns-1:0] rows;
    logic [ClusterBits-1:0] acc, high_acc, psum, high_psum;
    logic [Window*ReductionBanks-1:0]      own_wordlines;
    logic [OperandBits*ReductionBanks-1:0] own_operand;
    logic [ReductionBanks-1:0]             own_used5, own_used6, own_negative;

    // Positions of this cluster: the first ones, or its own.
    if (k > 0 && WindowBytes > ReductionBanks) begin : gen_own
      localparam int First = k * ReductionBanks;
      assign own_wordlines = wide_q ? wordlines5[First*Window +: Window*ReductionBanks]
                                    : wordlines5[Window*ReductionBanks-1:0];
      assign own_operand   = wide_q ? operand6_q[First*OperandBits +: OperandBits*ReductionBanks]
                                    : operand6_q[OperandBits*ReductionBanks-1:0];
      assign own_used5     = wide_q ? used5[First +: ReductionBanks] : used5[ReductionBanks-1:0];
      assign own_used6     = wide_q ? used6_q[First +: ReductionBanks]
                                    : used6_q[ReductionBanks-1:0];
      assign own_negative  = wide_q ? negative6_q[First +: ReductionBanks]
                                    : negative6_q[ReductionBanks-1:0];
    end else begin : gen_first
      assign own_wordlines = wordlines5[Window*ReductionBanks-1:0];
      assign own_operand   = operand6_q[OperandBits*ReductionBanks-1:0];
      assign own_used5     = used5[ReductionBanks-1:0];
      assign own_used6     = used6_q[ReductionBanks-1:0];
      assign own_negative  = negative6_q[ReductionBanks-1:0];
    end

    for (genvar c = 0; c < ReductionBanks; c++) begin : gen_bank
      localparam int Bank = k * ReductionBanks + c;
      cimc_bank u_bank (
        .clk_i      (clk_i),
        .we_i       (row_we_i[Bank]),
        .waddr_i    (row_addr_i[Bank*RowBits +: RowBits]),
        .wdata_i    (row_data_i[Bank*cimc_pkg::RowColumns +: cimc_pkg::RowColumns]),
        .re_i       (valid_q[5] && own_used5[c] && active_q[k]),
        .raddr_i    (row5_q),
        .wordlines_i(own_wordlines[c*Window +: Window]),
        .rdata_o    (rows[c*cimc_pkg::RowColumns +: cimc_pkg::RowColumns])
      );
    end

    cimc_cluster #(
      .Group(32'(cimc_pkg::ClusterGroups[8*k +: 8]))
    ) u_cluster (
      .clk_i           (clk_i),
      .dual_i          (dual_q),
      .products_valid_i(valid_q[6] && active_q[k]),
      .rows_i          (rows),
      .used_i          (own_used6),
      .operand_i       (own_operand),
      .negative_i      (own_negative),
      .pairs_valid_i   (valid_q[7] && active_q[k]),
      .sums_valid_i    (valid_q[8] && active_q[k]),
      .first_i         (first_q[8]),
      .hold_i          (hold8),
      .psum_in_i       (psum_in_q),
      .psum_i          (psum),
      .high_psum_i     (high_psum),
      .acc_o           (acc),
      .high_acc_o      (high_acc),
      .hold_o          (hold[k*ClusterBits +: ClusterBits]),
      .high_hold_o     (hold[(cimc_pkg::Clusters + k)*ClusterBits +: ClusterBits])
    );

    cimc_psum_memory u_psum (
      .clk_i       (clk_i),
      .dual_i      (dual_q),
      .we_i        (psum_we && active_q[k]),
      .windex_i    (psum_write_q),
      .wdata_i     (acc),
      .high_wdata_i(high_acc),
      .re_i        (psum_re && active_q[k]),
      .rindex_i    (psum_read_q),
      .rdata_o     (psum),
      .high_rdata_o(high_psum)
    );
  end

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) psum_we <= 1'b0;
    else psum_we <= valid_q[8] && last_q[8] && psum_out_q;
  end

  always_ff @(posedge clk_i) begin
    if (start_i) begin
      psum_read_q  <= command_i[cimc_pkg::CMD_ARRAY_PSUM_LSB +: PsumBits];
      psum_write_q <= command_i[cimc_pkg::CMD_ARRAY_PSUM_LSB +: PsumBits];
    end else begin
      if (psum_re) psum_read_q <= psum_read_q + 1'b1;
      if (psum_we) psum_write_q <= psum_write_q + 1'b1;
    end
  end

  logic pixel_posted;

  cimc_postprocess u_postprocess (
    .clk_i            (clk_i),
    .rst_ni           (rst_ni),
    .start_i          (start_i),
    .command_i        (command_i),
    .pixel_i          (hold8),
    .hold_i           (hold),
    .parameter_re_o   (parameter_re_o),
    .parameter_set_o  (parameter_set_o),
    .parameter_group_o(parameter_group_o),
    .parameters_i     (parameters_i),
    .we_o             (buffer_we_o),
    .waddr_o          (buffer_waddr_o),
    .wdata_o          (buffer_wdata_o),
    .wstrb_o          (buffer_wstrb_o),
    .pixel_done_o     (pixel_posted)
  );

  // End: with the last pixel
  logic [PixelBits-1:0] pixels_q;   // still to be finished
  logic                 pixel_done;

  assign pixel_done = psum_we || pixel_posted;
  assign done_o     = pixel_done && pixels_q == PixelBits'(1);

  always_ff @(posedge clk_i) begin
    if (start_i) begin
      pixels_q <= PixelBits'(command_i[cimc_pkg::CMD_ARRAY_NX_LSB +: cimc_pkg::CMD_ARRAY_NX_W])
                * PixelBits'(command_i[cimc_pkg::CMD_ARRAY_NY_LSB +: cimc_pkg::CMD_ARRAY_NY_W]);
    end else if (pixel_done) begin
      pixels_q <= pixels_q - 1'b1;
    end
  end
endmodule
