// DMA: moves beats between the memory port and everything else in the core.
//
// One side asks for a beat a cycle (the memory port, or the activation buffer for STORE), the
// other side takes the answers in order. LOAD_WEIGHTS has a head (step offsets, parameters) and a
// body of weight beats, one every `pace` cycles.
module cimc_dma (
  input  logic clk_i,
  input  logic rst_ni,
  // Command
  input  logic                                start_i,
  input  logic [cimc_pkg::CMD_DMA_ANY_W-1:0]  command_i,
  output logic                                done_o,
  output logic                                fetch_done_o,
  // Memory port
  output logic                                mem_req_valid_o,
  output logic                                mem_req_we_o,
  output logic [cimc_pkg::BeatAddressBits-1:0] mem_req_addr_o,
  output logic [cimc_pkg::BeatBits-1:0]       mem_req_wdata_o,
  output logic [cimc_pkg::BeatBytes-1:0]      mem_req_wstrb_o,
  input  logic                                mem_rsp_valid_i,
  input  logic [cimc_pkg::BeatBits-1:0]       mem_rsp_rdata_i,
  // Beat that arrived, for all that follows
  output logic [cimc_pkg::BeatBits-1:0]       data_o,
  output logic [cimc_pkg::TableIndexBits-1:0] index_o,        // number of the beat in its table
  output logic                                instruction_we_o,
  output logic                                lut_we_o,
  output logic                                step_we_o,
  output logic [cimc_pkg::StepIndexBits-1:0]  step_index_o,
  output logic                                parameter_we_o,
  output logic                                parameter_set_o,
  output logic                                tap_we_o,
  output logic [cimc_pkg::VectorTapBits-1:0]  tap_index_o,
  output logic                                vector_parameter_we_o,
  output logic                                vector_parameter_set_o,
  // Row generators
  output logic                                weight_valid_o,
  output logic [cimc_pkg::BankBits-1:0]       weight_bank_o,
  output logic [cimc_pkg::BankRowBits-1:0]    weight_row_o,   // first row of the row-group
  output logic [cimc_pkg::CMD_DMA_ANY_W-1:0]  command_o,      // the running command
  // Activation buffer
  output logic                                       buffer_re_o,
  output logic [cimc_pkg::ActivationAddressBits-1:0] buffer_raddr_o,
  input  logic [cimc_pkg::BeatBits-1:0]              buffer_rdata_i,
  output logic                                       buffer_we_o,
  output logic [cimc_pkg::ActivationAddressBits-1:0] buffer_waddr_o,
  output logic [cimc_pkg::BeatBytes-1:0]             buffer_wstrb_o
);
  localparam int IndexBits = cimc_pkg::BeatIndexBits;
  localparam int BeatBytes = cimc_pkg::BeatBytes;
  localparam int AddressBits = cimc_pkg::BeatAddressBits;
  localparam int CountBits = 21;                    // beats of a LOAD: bytes field and one more
  localparam int WeightBits = cimc_pkg::CMD_LOAD_WEIGHTS_STEPS_W + $clog2(cimc_pkg::Banks);
  localparam int BeatEntries = BeatBytes / 4;       // of the step table

  // The command that starts
  logic [cimc_pkg::CMD_OPCODE_W-1:0]      opcode;
  logic [CountBits-1:0]                   head_beats, table_beats, first_parameter;
  logic [WeightBits-1:0]                  weight_beats;
  logic [AddressBits-1:0]                 dram_beat, buffer_beat;
  logic [BeatBytes-1:0]                   first_strobe, last_strobe;
  logic                                   two_banks;
  logic [cimc_pkg::BankBits-1:0]          first_bank, final_bank;   // of the bank group

  cimc_dma_decode #(
    .CountBits (CountBits),
    .WeightBits(WeightBits)
  ) u_decode (
    .command_i        (command_i),
    .opcode_o         (opcode),
    .head_beats_o     (head_beats),
    .table_beats_o    (table_beats),
    .weight_beats_o   (weight_beats),
    .first_parameter_o(first_parameter),
    .dram_beat_o      (dram_beat),
    .buffer_beat_o    (buffer_beat),
    .first_strobe_o   (first_strobe),
    .last_strobe_o    (last_strobe),
    .two_banks_o      (two_banks),
    .first_bank_o     (first_bank),
    .last_bank_o      (final_bank)
  );

  // Fields of the running command
  logic [cimc_pkg::CMD_DMA_ANY_W-1:0] command_q;
  logic [cimc_pkg::CMD_LOAD_WEIGHTS_ROWS_W-1:0] rows;
  logic [cimc_pkg::CMD_LOAD_WEIGHTS_PACE_W-1:0] pace;
  assign rows = command_q[cimc_pkg::CMD_LOAD_WEIGHTS_ROWS_LSB
                          +: cimc_pkg::CMD_LOAD_WEIGHTS_ROWS_W];
  assign pace = command_q[cimc_pkg::CMD_LOAD_WEIGHTS_PACE_LSB
                          +: cimc_pkg::CMD_LOAD_WEIGHTS_PACE_W];
  assign parameter_set_o = command_q[cimc_pkg::CMD_LOAD_WEIGHTS_PARAM_SET_LSB];
  assign vector_parameter_set_o = command_q[cimc_pkg::CMD_LOAD_TAPS_PARAM_SET_LSB];
  assign command_o = command_q;

  // Asking side
  logic [cimc_pkg::CMD_OPCODE_W-1:0] op_q;
  logic [AddressBits-1:0] ask_addr_q;     // beat in DRAM, or beat in the buffer for STORE
  logic [CountBits-1:0]  ask_head_q;      // beats to ask for
  logic [WeightBits-1:0] ask_body_q;
  logic [cimc_pkg::CMD_LOAD_WEIGHTS_PACE_W-1:0] wait_q;
  logic                  ask_head, ask_body;

  assign ask_head = ask_head_q != '0;
  assign ask_body = !ask_head && ask_body_q != '0 && wait_q == '0;

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      ask_head_q <= '0;
      ask_body_q <= '0;
    end else if (start_i) begin
      ask_head_q <= head_beats;
      ask_body_q <= (opcode == cimc_pkg::OP_LOAD_WEIGHTS) ? weight_beats : '0;
    end else begin
      if (ask_head) ask_head_q <= ask_head_q - 1'b1;
      if (ask_body) ask_body_q <= ask_body_q - 1'b1;
    end
  end

  always_ff @(posedge clk_i) begin
    if (start_i) begin
      command_q  <= command_i;
      op_q       <= opcode;
      ask_addr_q <= (opcode == cimc_pkg::OP_STORE) ? buffer_beat : dram_beat;
      wait_q     <= '0;
    end else if (ask_head || ask_body) begin
      ask_addr_q <= ask_addr_q + 1'b1;
      if (ask_body) wait_q <= pace - 1'b1;
    end else if (wait_q != '0) begin
      wait_q <= wait_q - 1'b1;
    end
  end

  assign buffer_re_o    = ask_head && op_q == cimc_pkg::OP_STORE;
  assign buffer_raddr_o = {ask_addr_q[cimc_pkg::ActivationAddressBits-IndexBits-1:0],
                           {IndexBits{1'b0}}};

  // Answers: registered once, whichever side they come from
  logic stored_q;        // the buffer answers a STORE in this cycle
  logic arrived_q;
  logic [cimc_pkg::BeatBits-1:0] data_q;

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      stored_q  <= 1'b0;
      arrived_q <= 1'b0;
    end else begin
      stored_q  <= buffer_re_o;
      arrived_q <= mem_rsp_valid_i || stored_q;
    end
  end

  always_ff @(posedge clk_i) begin
    if (stored_q) data_q <= buffer_rdata_i;
    else if (mem_rsp_valid_i) data_q <= mem_rsp_rdata_i;
  end
  assign data_o = data_q;

  // Taking side
  logic [AddressBits-1:0] take_addr_q;   // beat in the buffer, or beat in DRAM for STORE
  logic [CountBits-1:0]   take_head_q;   // beats of the head to come
  logic [WeightBits-1:0]  take_body_q;
  logic [CountBits-1:0]   table_beats_q; // beats of the head before the parameters: steps or taps
  logic [CountBits-1:0]   taken_q;       // beats of the head taken, parameters counted anew
  logic [CountBits-1:0]   parameters_q;  // number of the first beat of parameters in its set
  logic                   first_q;       // no beat was taken yet
  logic [BeatBytes-1:0]   first_strobe_q, last_strobe_q, strobe;
  logic                   take_head, take_body, last_head, last_body, table_we;

  assign take_head = arrived_q && take_head_q != '0;
  assign take_body = arrived_q && take_head_q == '0;
  assign last_head = take_head_q == CountBits'(1);
  assign last_body = take_body_q == WeightBits'(1);

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      take_head_q <= '0;
      take_body_q <= '0;
    end else if (start_i) begin
      take_head_q <= head_beats;
      take_body_q <= weight_beats;
    end else begin
      if (take_head) take_head_q <= take_head_q - 1'b1;
      if (take_body) take_body_q <= take_body_q - 1'b1;
    end
  end

  always_ff @(posedge clk_i) begin
    if (start_i) begin
      take_addr_q    <= (opcode == cimc_pkg::OP_STORE) ? dram_beat : buffer_beat;
      first_q        <= 1'b1;
      first_strobe_q <= first_strobe;
      last_strobe_q  <= last_strobe;
      taken_q        <= '0;
      parameters_q   <= first_parameter;
      table_beats_q  <= table_beats;
    end else if (take_head) begin
      take_addr_q  <= take_addr_q + 1'b1;
      first_q      <= 1'b0;
      taken_q      <= (table_we && table_beats_q == CountBits'(1)) ? parameters_q : taken_q + 1'b1;
      if (table_we) table_beats_q <= table_beats_q - 1'b1;
    end
  end

  assign table_we = take_head && table_beats_q != '0
                    && (op_q == cimc_pkg::OP_LOAD_WEIGHTS || op_q == cimc_pkg::OP_LOAD_TAPS);

  always_comb begin
    strobe = '1;
    if (first_q) strobe = first_strobe_q;
    if (last_head) strobe = strobe & last_strobe_q;
  end

  assign index_o          = cimc_pkg::TableIndexBits'(taken_q);
  assign instruction_we_o = take_head && op_q == cimc_pkg::OP_FETCH;
  assign lut_we_o         = take_head && op_q == cimc_pkg::OP_LOAD_LUT;
  assign step_we_o        = table_we && op_q == cimc_pkg::OP_LOAD_WEIGHTS;
  assign parameter_we_o   = take_head && op_q == cimc_pkg::OP_LOAD_WEIGHTS && table_beats_q == '0;
  assign step_index_o     = cimc_pkg::StepIndexBits'(
                              command_q[cimc_pkg::CMD_LOAD_WEIGHTS_STEP_BASE_LSB
                                        +: cimc_pkg::CMD_LOAD_WEIGHTS_STEP_BASE_W])
                            + cimc_pkg::StepIndexBits'(taken_q << $clog2(BeatEntries));

  assign tap_we_o         = table_we && op_q == cimc_pkg::OP_LOAD_TAPS;
  assign vector_parameter_we_o = take_head && op_q == cimc_pkg::OP_LOAD_TAPS && table_beats_q == '0;
  assign tap_index_o      = cimc_pkg::VectorTapBits'(
                              command_q[cimc_pkg::CMD_LOAD_TAPS_BASE_LSB
                                        +: cimc_pkg::CMD_LOAD_TAPS_BASE_W])
                            + cimc_pkg::VectorTapBits'(taken_q);

  assign buffer_we_o    = take_head && op_q == cimc_pkg::OP_LOAD;
  assign buffer_waddr_o = {take_addr_q[cimc_pkg::ActivationAddressBits-IndexBits-1:0],
                           {IndexBits{1'b0}}};
  assign buffer_wstrb_o = strobe;

  always_comb begin
    mem_req_we_o    = take_head && op_q == cimc_pkg::OP_STORE;
    mem_req_valid_o = mem_req_we_o || ask_body || (ask_head && op_q != cimc_pkg::OP_STORE);
    mem_req_addr_o  = mem_req_we_o ? take_addr_q : ask_addr_q;
    mem_req_wdata_o = data_q;
    mem_req_wstrb_o = strobe;
  end

  // Weights: bank after bank, or two and two, then the rows of the next step
  logic [cimc_pkg::BankBits-1:0]    bank_q, first_bank_q, last_bank_q;
  logic                             two_banks_q;
  logic [cimc_pkg::BankRowBits-1:0] row_q;
  logic                             last_bank;

  assign last_bank      = (bank_q | cimc_pkg::BankBits'(two_banks_q)) == last_bank_q;
  assign weight_valid_o = take_body;
  assign weight_bank_o  = bank_q;
  assign weight_row_o   = row_q;

  always_ff @(posedge clk_i) begin
    if (start_i) begin
      two_banks_q  <= two_banks;
      bank_q       <= first_bank;
      first_bank_q <= first_bank;
      last_bank_q  <= final_bank;
      row_q  <= cimc_pkg::BankRowBits'(command_i[cimc_pkg::CMD_LOAD_WEIGHTS_ROW_BASE_LSB
                                                 +: cimc_pkg::CMD_LOAD_WEIGHTS_ROW_BASE_W]);
    end else if (take_body) begin
      bank_q <= last_bank ? first_bank_q : bank_q + (cimc_pkg::BankBits'(1) << two_banks_q);
      if (last_bank) row_q <= row_q + cimc_pkg::BankRowBits'(rows);
    end
  end

  // End: with the last beat, or when the row generators have written the last row-group
  logic [cimc_pkg::CMD_LOAD_WEIGHTS_ROWS_W-1:0] rows_left_q;

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) rows_left_q <= '0;
    else if (take_body && last_body) rows_left_q <= rows;
    else if (rows_left_q != '0) rows_left_q <= rows_left_q - 1'b1;
  end

  assign done_o = (take_head && last_head && op_q != cimc_pkg::OP_LOAD_WEIGHTS)
               || rows_left_q == cimc_pkg::CMD_LOAD_WEIGHTS_ROWS_W'(1);
  assign fetch_done_o = done_o && op_q == cimc_pkg::OP_FETCH;

`ifdef CIMC_ASSERT
  logic [cimc_pkg::CMD_LOAD_BYTES_W-1:0] bytes;
  logic [IndexBits-1:0]                  dram, buffer;   // places in a beat

  assign bytes  = command_i[cimc_pkg::CMD_LOAD_BYTES_LSB +: cimc_pkg::CMD_LOAD_BYTES_W];
  assign dram   = command_i[cimc_pkg::CMD_LOAD_DRAM_LSB +: IndexBits];
  assign buffer = command_i[cimc_pkg::CMD_LOAD_BUFFER_LSB +: IndexBits];

  always @(posedge clk_i) begin
    if (start_i && (opcode == cimc_pkg::OP_LOAD || opcode == cimc_pkg::OP_STORE)
        && (dram != buffer || bytes == '0)) begin
      $fatal(1, "%m: %0d bytes from %0d to %0d of a beat: none, or elsewhere", bytes, dram, buffer);
    end
    if (ask_body && pace == '0) $fatal(1, "%m: LOAD_WEIGHTS with pace 0");
    if (start_i && opcode == cimc_pkg::OP_LOAD_TAPS && table_beats == '0) $fatal(1, "%m: no taps");
    if (mem_rsp_valid_i && stored_q) $fatal(1, "%m: data from both sides");
  end
`endif
endmodule
