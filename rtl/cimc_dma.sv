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
  localparam int BankShift = $clog2(cimc_pkg::ReductionBanks);   // banks of a cluster
  localparam int WeightBits = cimc_pkg::CMD_LOAD_WEIGHTS_STEPS_W + $clog2(cimc_pkg::Banks);
  localparam int BeatEntries = BeatBytes / 4;       // of the step table
  localparam int LutBeats = 256 / BeatBytes;
  localparam int ClusterParameterBeats = 8;                      // twice with two outputs a lane
  localparam int VectorParameterBeats = 8;

  typedef enum logic [2:0] {OpFetch, OpLoad, OpStore, OpWeights, OpLut, OpTaps} op_e;

  // Fields of the command that starts

  logic [cimc_pkg::CMD_OPCODE_W-1:0]           opcode;
  logic [cimc_pkg::CMD_LOAD_DRAM_W-1:0]        dram;    // at the same place in every command
  logic [cimc_pkg::CMD_LOAD_BUFFER_W-1:0]      buffer;
  logic [cimc_pkg::CMD_LOAD_BYTES_W-1:0]       bytes;
  logic [cimc_pkg::CMD_LOAD_WEIGHTS_STEPS_W-1:0] steps;
  logic                                        has_params, two_banks, two_a_lane;
  logic [cimc_pkg::CMD_LOAD_TAPS_TAPS_W-1:0]   taps;
  logic [cimc_pkg::CMD_LOAD_WEIGHTS_GROUP_W-1:0] group;
  logic [8*cimc_pkg::Groups-1:0]               firsts, shifts;
  logic [7:0]                                  first_cluster, cluster_shift;  // of the group

  assign group  = command_i[cimc_pkg::CMD_LOAD_WEIGHTS_GROUP_LSB
                            +: cimc_pkg::CMD_LOAD_WEIGHTS_GROUP_W];
  assign firsts = cimc_pkg::GroupFirsts;
  assign shifts = cimc_pkg::GroupShifts;
  assign first_cluster = firsts[8*32'(group) +: 8];
  assign cluster_shift = shifts[8*32'(group) +: 8];

  assign opcode = command_i[cimc_pkg::CMD_OPCODE_LSB +: cimc_pkg::CMD_OPCODE_W];
  assign dram   = command_i[cimc_pkg::CMD_LOAD_DRAM_LSB +: cimc_pkg::CMD_LOAD_DRAM_W];
  assign buffer = command_i[cimc_pkg::CMD_LOAD_BUFFER_LSB +: cimc_pkg::CMD_LOAD_BUFFER_W];
  assign bytes  = command_i[cimc_pkg::CMD_LOAD_BYTES_LSB +: cimc_pkg::CMD_LOAD_BYTES_W];
  assign steps  = command_i[cimc_pkg::CMD_LOAD_WEIGHTS_STEPS_LSB
                            +: cimc_pkg::CMD_LOAD_WEIGHTS_STEPS_W];
  assign has_params = command_i[cimc_pkg::CMD_LOAD_WEIGHTS_HAS_PARAMS_LSB];
  assign two_banks  = command_i[cimc_pkg::CMD_LOAD_WEIGHTS_PACKING_LSB
                                +: cimc_pkg::CMD_LOAD_WEIGHTS_PACKING_W]
                      == cimc_pkg::PACKING_BANKS;
  assign two_a_lane = command_i[cimc_pkg::CMD_LOAD_WEIGHTS_PACKING_LSB
                                +: cimc_pkg::CMD_LOAD_WEIGHTS_PACKING_W]
                      == cimc_pkg::PACKING_LANES;
  assign taps   = command_i[cimc_pkg::CMD_LOAD_TAPS_TAPS_LSB +: cimc_pkg::CMD_LOAD_TAPS_TAPS_W];

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

  // Beats of the command that starts
  logic [CountBits-1:0] start_beats;
  logic [IndexBits-1:0] last_byte;   // place of the last byte in its beat
  op_e                  start_op;

  assign last_byte = dram[IndexBits-1:0] + bytes[IndexBits-1:0] - 1'b1;

  always_comb begin
    case (opcode)
      cimc_pkg::OP_LOAD:         start_op = OpLoad;
      cimc_pkg::OP_STORE:        start_op = OpStore;
      cimc_pkg::OP_LOAD_WEIGHTS: start_op = OpWeights;
      cimc_pkg::OP_LOAD_LUT:     start_op = OpLut;
      cimc_pkg::OP_LOAD_TAPS:    start_op = OpTaps;
      default:                   start_op = OpFetch;
    endcase
    case (start_op)
      OpFetch:   start_beats = CountBits'(cimc_pkg::BlockBeats);
      OpLut:     start_beats = CountBits'(LutBeats);
      OpWeights: start_beats = ((CountBits'(steps) + CountBits'(BeatEntries - 1))
                                >> $clog2(BeatEntries))
                               + (has_params
                                  ? CountBits'(ClusterParameterBeats)
                                    << (cluster_shift + 8'(two_a_lane)) : '0);
      OpTaps:    start_beats = CountBits'(taps) + CountBits'(VectorParameterBeats);
      default:   start_beats = CountBits'(({1'b0, bytes}
                                           + (cimc_pkg::CMD_LOAD_BYTES_W+1)'(dram[IndexBits-1:0])
                                           + (cimc_pkg::CMD_LOAD_BYTES_W+1)'(BeatBytes - 1))
                                          >> IndexBits);
    endcase
  end

  logic [WeightBits-1:0] start_weights;   // weight beats

  assign start_weights = WeightBits'(steps)
                         << (8'(BankShift) + cluster_shift - 8'(two_banks));

  // Asking side
  op_e                   op_q;
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
      ask_head_q <= start_beats;
      ask_body_q <= (start_op == OpWeights) ? start_weights : '0;
    end else begin
      if (ask_head) ask_head_q <= ask_head_q - 1'b1;
      if (ask_body) ask_body_q <= ask_body_q - 1'b1;
    end
  end

  always_ff @(posedge clk_i) begin
    if (start_i) begin
      command_q  <= command_i;
      op_q       <= start_op;
      ask_addr_q <= (start_op == OpStore) ? AddressBits'(buffer >> IndexBits)
                                          : dram[cimc_pkg::CMD_LOAD_DRAM_W-1 : IndexBits];
      wait_q     <= '0;
    end else if (ask_head || ask_body) begin
      ask_addr_q <= ask_addr_q + 1'b1;
      if (ask_body) wait_q <= pace - 1'b1;
    end else if (wait_q != '0) begin
      wait_q <= wait_q - 1'b1;
    end
  end

  assign buffer_re_o    = ask_head && op_q == OpStore;
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
      take_head_q <= start_beats;
      take_body_q <= start_weights;
    end else begin
      if (take_head) take_head_q <= take_head_q - 1'b1;
      if (take_body) take_body_q <= take_body_q - 1'b1;
    end
  end

  always_ff @(posedge clk_i) begin
    if (start_i) begin
      take_addr_q    <= (start_op == OpStore) ? dram[cimc_pkg::CMD_LOAD_DRAM_W-1 : IndexBits]
                                              : AddressBits'(buffer >> IndexBits);
      first_q        <= 1'b1;
      first_strobe_q <= {BeatBytes{1'b1}} << dram[IndexBits-1:0];
      last_strobe_q  <= {BeatBytes{1'b1}} >> ~last_byte;
      taken_q        <= '0;
      parameters_q   <= (start_op == OpWeights)
                        ? CountBits'(first_cluster) * CountBits'(ClusterParameterBeats) : '0;
      table_beats_q  <= (start_op == OpTaps)
                        ? CountBits'(taps)
                        : (CountBits'(steps) + CountBits'(BeatEntries - 1)) >> $clog2(BeatEntries);
    end else if (take_head) begin
      take_addr_q  <= take_addr_q + 1'b1;
      first_q      <= 1'b0;
      taken_q      <= (table_we && table_beats_q == CountBits'(1)) ? parameters_q : taken_q + 1'b1;
      if (table_we) table_beats_q <= table_beats_q - 1'b1;
    end
  end

  assign table_we = take_head && (op_q == OpWeights || op_q == OpTaps) && table_beats_q != '0;

  always_comb begin
    strobe = '1;
    if (first_q) strobe = first_strobe_q;
    if (last_head) strobe = strobe & last_strobe_q;
  end

  assign index_o          = cimc_pkg::TableIndexBits'(taken_q);
  assign instruction_we_o = take_head && op_q == OpFetch;
  assign lut_we_o         = take_head && op_q == OpLut;
  assign step_we_o        = table_we && op_q == OpWeights;
  assign parameter_we_o   = take_head && op_q == OpWeights && table_beats_q == '0;
  assign step_index_o     = cimc_pkg::StepIndexBits'(
                              command_q[cimc_pkg::CMD_LOAD_WEIGHTS_STEP_BASE_LSB
                                        +: cimc_pkg::CMD_LOAD_WEIGHTS_STEP_BASE_W])
                            + cimc_pkg::StepIndexBits'(taken_q << $clog2(BeatEntries));

  assign tap_we_o         = table_we && op_q == OpTaps;
  assign vector_parameter_we_o = take_head && op_q == OpTaps && table_beats_q == '0;
  assign tap_index_o      = cimc_pkg::VectorTapBits'(
                              command_q[cimc_pkg::CMD_LOAD_TAPS_BASE_LSB
                                        +: cimc_pkg::CMD_LOAD_TAPS_BASE_W])
                            + cimc_pkg::VectorTapBits'(taken_q);

  assign buffer_we_o    = take_head && op_q == OpLoad;
  assign buffer_waddr_o = {take_addr_q[cimc_pkg::ActivationAddressBits-IndexBits-1:0],
                           {IndexBits{1'b0}}};
  assign buffer_wstrb_o = strobe;

  always_comb begin
    mem_req_we_o    = take_head && op_q == OpStore;
    mem_req_valid_o = mem_req_we_o || ask_body || (ask_head && op_q != OpStore);
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
      bank_q       <= cimc_pkg::BankBits'(first_cluster << BankShift);
      first_bank_q <= cimc_pkg::BankBits'(first_cluster << BankShift);
      last_bank_q  <= cimc_pkg::BankBits'(((first_cluster + (8'd1 << cluster_shift)) << BankShift)
                                          - 8'd1);
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

  assign done_o = (take_head && last_head && op_q != OpWeights)
               || rows_left_q == cimc_pkg::CMD_LOAD_WEIGHTS_ROWS_W'(1);
  assign fetch_done_o = done_o && op_q == OpFetch;

`ifdef CIMC_ASSERT
  always @(posedge clk_i) begin
    if (start_i && (start_op == OpLoad || start_op == OpStore)
        && (dram[IndexBits-1:0] != buffer[IndexBits-1:0] || bytes == '0)) begin
      $fatal(1, "%m: %0d bytes at %0h and %0h: empty, or different modulo a beat",
             bytes, dram, buffer);
    end
    if (ask_body && pace == '0) $fatal(1, "%m: LOAD_WEIGHTS with pace 0");
    if (start_i && start_op == OpTaps && taps == '0) $fatal(1, "%m: LOAD_TAPS without taps");
    if (mem_rsp_valid_i && stored_q) $fatal(1, "%m: data from both sides");
  end
`endif
endmodule
