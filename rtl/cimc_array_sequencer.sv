// Address generator of the array: loops y, x, step, read; one access a cycle.
//
// Stage 0 holds the loop counters and asks the step table; stage 1 adds the offset to the window
// address; stage 2 asks the activation buffer. What later stages need travels along.
module cimc_array_sequencer (
  input  logic clk_i,
  input  logic rst_ni,
  input  logic start_i,
  /* verilator lint_off UNUSEDSIGNAL */ // takes the fields of the loops only
  input  logic [cimc_pkg::CMD_ARRAY_ANY_W-1:0] command_i,
  /* verilator lint_on UNUSEDSIGNAL */
  // Step table
  output logic                                       step_re_o,
  output logic [cimc_pkg::StepIndexBits-1:0]         step_index_o,
  input  logic [cimc_pkg::ActivationAddressBits-1:0] step_offset_i,
  // Stage 2: the access whose window is asked for in this cycle
  output logic                                       valid_o,
  output logic [cimc_pkg::ActivationAddressBits-1:0] address_o,
  output logic                                       first_o,   // of its pixel
  output logic                                       last_o,    // of its pixel
  output logic [7:0]                                 mask_o,
  output logic [cimc_pkg::BankRowBits-1:0]           row_o      // base row
);
  localparam int AddressBits = cimc_pkg::ActivationAddressBits;
  localparam int CountBits = cimc_pkg::CMD_ARRAY_NX_W;
  localparam int StepBits = cimc_pkg::CMD_ARRAY_STEPS_W;
  localparam int ReadBits = cimc_pkg::CMD_ARRAY_READS_W;
  localparam int PeriodBits = cimc_pkg::CMD_ARRAY_PERIOD_W;

  // Fields that are needed while the command runs
  logic [CountBits-1:0]   nx_q;
  logic [AddressBits-1:0] src_x_q, src_y_q;
  logic [StepBits-1:0]    steps_q;
  logic [cimc_pkg::StepIndexBits-1:0] step_base_q;
  logic [cimc_pkg::BankRowBits-1:0]   row_base_q, rows_q;
  logic [ReadBits-1:0]    reads_q;
  logic [63:0]            masks_q;
  logic [PeriodBits-1:0]  period_q;

  always_ff @(posedge clk_i) begin
    if (start_i) begin
      nx_q        <= command_i[cimc_pkg::CMD_ARRAY_NX_LSB +: CountBits];
      src_x_q     <= command_i[cimc_pkg::CMD_ARRAY_SRC_X_LSB +: AddressBits];
      src_y_q     <= command_i[cimc_pkg::CMD_ARRAY_SRC_Y_LSB +: AddressBits];
      steps_q     <= command_i[cimc_pkg::CMD_ARRAY_STEPS_LSB +: StepBits];
      step_base_q <= command_i[cimc_pkg::CMD_ARRAY_STEP_BASE_LSB +: cimc_pkg::StepIndexBits];
      row_base_q  <= command_i[cimc_pkg::CMD_ARRAY_ROW_BASE_LSB +: cimc_pkg::BankRowBits];
      rows_q      <= cimc_pkg::BankRowBits'(
                       command_i[cimc_pkg::CMD_ARRAY_ROWS_LSB +: cimc_pkg::CMD_ARRAY_ROWS_W]);
      reads_q     <= command_i[cimc_pkg::CMD_ARRAY_READS_LSB +: ReadBits];
      masks_q     <= command_i[cimc_pkg::CMD_ARRAY_MASKS_LSB +: cimc_pkg::CMD_ARRAY_MASKS_W];
      period_q    <= command_i[cimc_pkg::CMD_ARRAY_PERIOD_LSB +: PeriodBits];
    end
  end

  // Stage 0: loop counters, each counting down to 1
  logic [CountBits-1:0]   y_q, x_q;
  logic [StepBits-1:0]    step_q;
  logic [ReadBits-1:0]    read_q;
  logic [PeriodBits-1:0]  cycle_q;
  logic                   access_q;    // the pixel still has accesses
  logic                   first_q;     // none was made yet
  logic [AddressBits-1:0] pixel_q, line_q;
  logic [cimc_pkg::StepIndexBits-1:0] index_q;
  logic [cimc_pkg::BankRowBits-1:0]   row_q;
  logic [63:0]            mask_shift_q;  // mask of this read lowest
  logic active, last_read, last_step, last_cycle, last_x;

  assign active     = y_q != '0;
  assign last_read  = read_q == ReadBits'(1);
  assign last_step  = step_q == StepBits'(1);
  assign last_cycle = cycle_q == PeriodBits'(1);
  assign last_x     = x_q == CountBits'(1);

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) y_q <= '0;
    else if (start_i) y_q <= command_i[cimc_pkg::CMD_ARRAY_NY_LSB +: CountBits];
    else if (active && last_cycle && last_x) y_q <= y_q - 1'b1;
  end

  always_ff @(posedge clk_i) begin
    if (start_i) begin
      x_q          <= command_i[cimc_pkg::CMD_ARRAY_NX_LSB +: CountBits];
      pixel_q      <= command_i[cimc_pkg::CMD_ARRAY_SRC_LSB +: AddressBits];
      line_q       <= command_i[cimc_pkg::CMD_ARRAY_SRC_LSB +: AddressBits];
      cycle_q      <= command_i[cimc_pkg::CMD_ARRAY_PERIOD_LSB +: PeriodBits];
      step_q       <= command_i[cimc_pkg::CMD_ARRAY_STEPS_LSB +: StepBits];
      read_q       <= command_i[cimc_pkg::CMD_ARRAY_READS_LSB +: ReadBits];
      mask_shift_q <= command_i[cimc_pkg::CMD_ARRAY_MASKS_LSB +: cimc_pkg::CMD_ARRAY_MASKS_W];
      index_q      <= command_i[cimc_pkg::CMD_ARRAY_STEP_BASE_LSB +: cimc_pkg::StepIndexBits];
      row_q        <= command_i[cimc_pkg::CMD_ARRAY_ROW_BASE_LSB +: cimc_pkg::BankRowBits];
      access_q     <= 1'b1;
      first_q      <= 1'b1;
    end else if (active && last_cycle) begin
      cycle_q      <= period_q;
      step_q       <= steps_q;
      read_q       <= reads_q;
      mask_shift_q <= masks_q;
      index_q      <= step_base_q;
      row_q        <= row_base_q;
      access_q     <= 1'b1;
      first_q      <= 1'b1;
      x_q          <= last_x ? nx_q : x_q - 1'b1;
      pixel_q      <= last_x ? line_q + src_y_q : pixel_q + src_x_q;
      if (last_x) line_q <= line_q + src_y_q;
    end else if (active) begin
      cycle_q <= cycle_q - 1'b1;
      first_q <= 1'b0;
      if (last_read) begin
        read_q       <= reads_q;
        mask_shift_q <= masks_q;
        step_q       <= step_q - 1'b1;
        index_q      <= index_q + 1'b1;
        row_q        <= row_q + rows_q;
        if (last_step) access_q <= 1'b0;
      end else begin
        read_q       <= read_q - 1'b1;
        mask_shift_q <= mask_shift_q >> 8;
      end
    end
  end

  assign step_re_o    = active && access_q;
  assign step_index_o = index_q;

  // Stages 1 and 2
  logic                   valid1_q, first1_q, last1_q;
  logic [AddressBits-1:0] pixel1_q;
  logic [7:0]             mask1_q;
  logic [cimc_pkg::BankRowBits-1:0] row1_q;

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      valid1_q <= 1'b0;
      valid_o  <= 1'b0;
    end else begin
      valid1_q <= step_re_o;
      valid_o  <= valid1_q;
    end
  end

  always_ff @(posedge clk_i) begin
    if (step_re_o) begin
      first1_q <= first_q;
      last1_q  <= last_read && last_step;
      pixel1_q <= pixel_q;
      mask1_q  <= mask_shift_q[7:0];
      row1_q   <= row_q;
    end
    if (valid1_q) begin
      first_o   <= first1_q;
      last_o    <= last1_q;
      address_o <= pixel1_q + step_offset_i;
      mask_o    <= mask1_q;
      row_o     <= row1_q;
    end
  end

`ifdef CIMC_ASSERT
  always @(posedge clk_i) begin
    if (active && last_cycle && access_q && !(last_read && last_step)) begin
      $fatal(1, "%m: period %0d ends before the accesses of a pixel", period_q);
    end
  end
`endif
endmodule
