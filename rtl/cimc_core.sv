// The accelerator: start_i runs the program at DRAM address 0, done_o rises when it has ended.
//
// One memory port: a beat a cycle, answers to reads in order after a fixed latency, writes
// without an answer. What every part does and when is stated in docs/machine.md.
module cimc_core (
  input  logic        clk_i,
  input  logic        rst_ni,
  input  logic        start_i,
  output logic        done_o,
  output logic [31:0] cycles_o,
  // Memory port
  output logic                                 mem_req_valid_o,
  output logic                                 mem_req_we_o,
  output logic [cimc_pkg::BeatAddressBits-1:0] mem_req_addr_o,   // of a beat
  output logic [cimc_pkg::BeatBits-1:0]        mem_req_wdata_o,
  output logic [cimc_pkg::BeatBytes-1:0]       mem_req_wstrb_o,
  input  logic                                 mem_rsp_valid_i,
  input  logic [cimc_pkg::BeatBits-1:0]        mem_rsp_rdata_i,
  // Retire ports: a marked command is done in this cycle
  output logic                                 dma_retire_valid_o,
  output logic [cimc_pkg::CMD_TAG_W-1:0]       dma_retire_tag_o,
  output logic                                 array_retire_valid_o,
  output logic [cimc_pkg::CMD_TAG_W-1:0]       array_retire_tag_o,
  output logic                                 vector_retire_valid_o,
  output logic [cimc_pkg::CMD_TAG_W-1:0]       vector_retire_tag_o
);
  localparam int AddressBits = cimc_pkg::ActivationAddressBits;
  localparam int BeatBits = cimc_pkg::BeatBits;
  localparam int BeatBytes = cimc_pkg::BeatBytes;
  localparam int RowBits = cimc_pkg::BankRowBits;

  // Controller and instruction memory
  logic       clear, fetch_re, fill_half, fetch_done;
  logic [cimc_pkg::CommandIndexBits:0] fetch_index;
  logic [cimc_pkg::CommandBits-1:0]    fetch_command;
  logic [cimc_pkg::CommandBits-1:0]    command;
  logic [2:0] push, full, idle, start, done;

  cimc_controller u_controller (
    .clk_i          (clk_i),
    .rst_ni         (rst_ni),
    .start_i        (start_i),
    .done_o         (done_o),
    .cycles_o       (cycles_o),
    .clear_o        (clear),
    .fetch_re_o     (fetch_re),
    .fetch_index_o  (fetch_index),
    .fetch_command_i(fetch_command),
    .fill_half_o    (fill_half),
    .fetch_done_i   (fetch_done),
    .push_o         (push),
    .command_o      (command),
    .full_i         (full),
    .idle_i         (idle)
  );

  logic [BeatBits-1:0] dma_data;
  logic [cimc_pkg::TableIndexBits-1:0] dma_index;
  logic                instruction_we;

  cimc_instruction_memory u_instructions (
    .clk_i   (clk_i),
    .we_i    (instruction_we),
    .whalf_i (fill_half),
    .wbeat_i (dma_index[$clog2(cimc_pkg::BlockBeats)-1:0]),
    .wdata_i (dma_data),
    .re_i    (fetch_re),
    .rindex_i(fetch_index),
    .rdata_o (fetch_command)
  );

  logic [cimc_pkg::CMD_DMA_ANY_W-1:0]    dma_command;
  logic [cimc_pkg::CMD_ARRAY_ANY_W-1:0]  array_command;
  logic [cimc_pkg::CMD_VECTOR_ANY_W-1:0] vector_command;

  cimc_issue u_issue (
    .clk_i                (clk_i),
    .rst_ni               (rst_ni),
    .clear_i              (clear),
    .push_i               (push),
    .command_i            (command),
    .full_o               (full),
    .idle_o               (idle),
    .start_o              (start),
    .done_i               (done),
    .dma_command_o        (dma_command),
    .array_command_o      (array_command),
    .vector_command_o     (vector_command),
    .dma_retire_valid_o   (dma_retire_valid_o),
    .dma_retire_tag_o     (dma_retire_tag_o),
    .array_retire_valid_o (array_retire_valid_o),
    .array_retire_tag_o   (array_retire_tag_o),
    .vector_retire_valid_o(vector_retire_valid_o),
    .vector_retire_tag_o  (vector_retire_tag_o)
  );

  // Activation buffer; the tokens keep the units from using a port at the same time
  logic                   dma_re, dma_we, array_re, array_we, vector_re, vector_we;
  logic [AddressBits-1:0] dma_raddr, dma_waddr, array_raddr, array_waddr;
  logic [AddressBits-1:0] vector_raddr, vector_waddr;
  logic [BeatBytes-1:0]   dma_wstrb, vector_wstrb;
  logic [BeatBits-1:0]    vector_wdata;
  logic [8*cimc_pkg::RequantLanes-1:0] array_wdata;
  logic [cimc_pkg::RequantLanes-1:0]   array_wstrb;

  logic                   buffer_re, buffer_we;
  logic [AddressBits-1:0] buffer_raddr, buffer_waddr;
  logic [BeatBits-1:0]    buffer_rdata, buffer_wdata;
  logic [BeatBytes-1:0]   buffer_wstrb;

  assign buffer_re = array_re || vector_re || dma_re;
  assign buffer_we = array_we || vector_we || dma_we;

  assign buffer_raddr = array_re ? array_raddr : vector_re ? vector_raddr : dma_raddr;

  always_comb begin
    if (array_we) begin
      buffer_waddr = array_waddr;
      buffer_wdata = BeatBits'(array_wdata);
      buffer_wstrb = BeatBytes'(array_wstrb);
    end else if (vector_we) begin
      buffer_waddr = vector_waddr;
      buffer_wdata = vector_wdata;
      buffer_wstrb = vector_wstrb;
    end else begin
      buffer_waddr = dma_waddr;
      buffer_wdata = dma_data;
      buffer_wstrb = dma_wstrb;
    end
  end

  cimc_buffer u_buffer (
    .clk_i  (clk_i),
    .rst_ni (rst_ni),
    .re_i   (buffer_re),
    .raddr_i(buffer_raddr),
    .rdata_o(buffer_rdata),
    .we_i   (buffer_we),
    .waddr_i(buffer_waddr),
    .wdata_i(buffer_wdata),
    .wstrb_i(buffer_wstrb)
  );

  // DMA and what it fills
  logic lut_we, step_we, parameter_we, parameter_wset, weight_valid;
  logic tap_we, vector_parameter_we, vector_parameter_wset;
  logic [cimc_pkg::VectorTapBits-1:0] tap_windex;
  logic [cimc_pkg::StepIndexBits-1:0] step_windex;
  logic [cimc_pkg::BankBits-1:0]      weight_bank;
  logic [RowBits-1:0]                 weight_row;
  logic [cimc_pkg::CMD_DMA_ANY_W-1:0] running;

  cimc_dma u_dma (
    .clk_i           (clk_i),
    .rst_ni          (rst_ni),
    .start_i         (start[0]),
    .command_i       (dma_command),
    .done_o          (done[0]),
    .fetch_done_o    (fetch_done),
    .mem_req_valid_o (mem_req_valid_o),
    .mem_req_we_o    (mem_req_we_o),
    .mem_req_addr_o  (mem_req_addr_o),
    .mem_req_wdata_o (mem_req_wdata_o),
    .mem_req_wstrb_o (mem_req_wstrb_o),
    .mem_rsp_valid_i (mem_rsp_valid_i),
    .mem_rsp_rdata_i (mem_rsp_rdata_i),
    .data_o          (dma_data),
    .index_o         (dma_index),
    .instruction_we_o(instruction_we),
    .lut_we_o        (lut_we),
    .step_we_o       (step_we),
    .step_index_o    (step_windex),
    .parameter_we_o  (parameter_we),
    .parameter_set_o (parameter_wset),
    .tap_we_o        (tap_we),
    .tap_index_o     (tap_windex),
    .vector_parameter_we_o(vector_parameter_we),
    .vector_parameter_set_o(vector_parameter_wset),
    .weight_valid_o  (weight_valid),
    .weight_bank_o   (weight_bank),
    .weight_row_o    (weight_row),
    .command_o       (running),
    .buffer_re_o     (dma_re),
    .buffer_raddr_o  (dma_raddr),
    .buffer_rdata_i  (buffer_rdata),
    .buffer_we_o     (dma_we),
    .buffer_waddr_o  (dma_waddr),
    .buffer_wstrb_o  (dma_wstrb)
  );

  logic                   step_re;
  logic [cimc_pkg::StepIndexBits-1:0] step_rindex;
  logic [AddressBits-1:0] step_offset;

  cimc_step_table u_steps (
    .clk_i   (clk_i),
    .we_i    (step_we),
    .windex_i(step_windex),
    .wdata_i (dma_data),
    .re_i    (step_re),
    .rindex_i(step_rindex),
    .offset_o(step_offset)
  );

  logic parameter_re, parameter_rset;
  logic [$clog2(2*cimc_pkg::Outputs+1)-1:0] parameter_group;
  logic [64*cimc_pkg::RequantLanes-1:0] parameters;

  cimc_parameter_memory u_parameters (
    .clk_i   (clk_i),
    .we_i    (parameter_we),
    .wset_i  (parameter_wset),
    .wbeat_i (dma_index[$clog2(cimc_pkg::Clusters*16)-1:0]),
    .wdata_i (dma_data),
    .re_i    (parameter_re),
    .rset_i  (parameter_rset),
    .rgroup_i(parameter_group),
    .rdata_o (parameters)
  );

  logic [cimc_pkg::Banks-1:0]                      row_we;
  logic [cimc_pkg::Banks*RowBits-1:0]              row_addr;
  logic [cimc_pkg::Banks*cimc_pkg::RowColumns-1:0] row_data;

  cimc_weight_rows u_weight_rows (
    .clk_i     (clk_i),
    .rst_ni    (rst_ni),
    .valid_i   (weight_valid),
    .codes_i   (dma_data),
    .bank_i    (weight_bank),
    .row_i     (weight_row),
    .command_i (running),
    .row_we_o  (row_we),
    .row_addr_o(row_addr),
    .row_data_o(row_data)
  );

  cimc_array u_array (
    .clk_i            (clk_i),
    .rst_ni           (rst_ni),
    .start_i          (start[1]),
    .command_i        (array_command),
    .done_o           (done[1]),
    .step_re_o        (step_re),
    .step_index_o     (step_rindex),
    .step_offset_i    (step_offset),
    .parameter_re_o   (parameter_re),
    .parameter_set_o  (parameter_rset),
    .parameter_group_o(parameter_group),
    .parameters_i     (parameters),
    .row_we_i         (row_we),
    .row_addr_i       (row_addr),
    .row_data_i       (row_data),
    .buffer_re_o      (array_re),
    .buffer_raddr_o   (array_raddr),
    .buffer_rdata_i   (buffer_rdata[8*cimc_pkg::WindowBytes-1:0]),
    .buffer_we_o      (array_we),
    .buffer_waddr_o   (array_waddr),
    .buffer_wdata_o   (array_wdata),
    .buffer_wstrb_o   (array_wstrb)
  );

  cimc_vector u_vector (
    .clk_i         (clk_i),
    .rst_ni        (rst_ni),
    .start_i       (start[2]),
    .command_i     (vector_command),
    .done_o        (done[2]),
    .lut_we_i      (lut_we),
    .lut_beat_i    (dma_index[$clog2(256/BeatBytes)-1:0]),
    .lut_data_i    (dma_data),
    .tap_we_i      (tap_we),
    .tap_index_i   (tap_windex),
    .parameter_we_i(vector_parameter_we),
    .parameter_set_i(vector_parameter_wset),
    .parameter_beat_i(dma_index[2:0]),
    .tap_data_i    (dma_data),
    .buffer_re_o   (vector_re),
    .buffer_raddr_o(vector_raddr),
    .buffer_rdata_i(buffer_rdata),
    .buffer_we_o   (vector_we),
    .buffer_waddr_o(vector_waddr),
    .buffer_wdata_o(vector_wdata),
    .buffer_wstrb_o(vector_wstrb)
  );

`ifdef CIMC_ASSERT
  always @(posedge clk_i) begin
    if (2'(array_re) + 2'(vector_re) + 2'(dma_re) > 2'd1) begin
      $fatal(1, "%m: two units read the activation buffer (array %b vector %b dma %b)",
             array_re, vector_re, dma_re);
    end
    if (2'(array_we) + 2'(vector_we) + 2'(dma_we) > 2'd1) begin
      $fatal(1, "%m: two units write the activation buffer (array %b vector %b dma %b)",
             array_we, vector_we, dma_we);
    end
  end
`endif
endmodule
