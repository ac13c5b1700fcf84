// Controller: reads commands from the instruction memory and feeds the queues of the units.
//
// Cycle 0 is the cycle with start_i. The controller pushes a FETCH of the block at DRAM address 0
// itself, then follows the blocks until END.
module cimc_controller (
  input  logic        clk_i,
  input  logic        rst_ni,
  input  logic        start_i,
  output logic        done_o,
  output logic [31:0] cycles_o,
  output logic        clear_o,       // start of a program: no tokens are left over
  // Instruction memory: one block a half
  output logic        fetch_re_o,
  output logic [cimc_pkg::CommandIndexBits:0] fetch_index_o,
  input  logic [cimc_pkg::CommandBits-1:0]    fetch_command_i,
  output logic        fill_half_o,   // where FETCH puts the next block
  input  logic        fetch_done_i,  // a FETCH is done in this cycle
  // Queues, by unit: 0 DMA, 1 ARRAY, 2 VECTOR
  output logic [2:0]  push_o,
  output logic [cimc_pkg::CommandBits-1:0] command_o,
  input  logic [2:0]  full_i,
  input  logic [2:0]  idle_i
);
  typedef enum logic [2:0] {StIdle, StBoot, StBootWait, StRead, StIssue} state_e;

  state_e      state_q;
  logic        half_q;        // the half being executed
  logic        fetched_q;     // a FETCH was done since the last block began
  logic [31:0] cycle_q;
  logic [cimc_pkg::CommandIndexBits-1:0] index_q;

  logic [cimc_pkg::CMD_OPCODE_W-1:0] opcode;
  logic [2:0] unit;
  logic       issued, next_block, finish;

  assign opcode = fetch_command_i[cimc_pkg::CMD_OPCODE_LSB +: cimc_pkg::CMD_OPCODE_W];

  // Not a case of constants: synthesis would take it for a read-only memory.
  assign unit[0] = opcode == cimc_pkg::OP_FETCH || opcode == cimc_pkg::OP_LOAD
                   || opcode == cimc_pkg::OP_STORE || opcode == cimc_pkg::OP_LOAD_WEIGHTS
                   || opcode == cimc_pkg::OP_LOAD_LUT || opcode == cimc_pkg::OP_LOAD_TAPS;
  assign unit[1] = opcode == cimc_pkg::OP_ARRAY;
  assign unit[2] = opcode == cimc_pkg::OP_VECTOR;

  always_comb begin
    push_o = '0;
    if (state_q == StBoot) push_o = 3'b001;
    else if (state_q == StIssue) push_o = unit & ~full_i;
  end

  assign command_o = (state_q == StBoot) ? cimc_pkg::CommandBits'(cimc_pkg::OP_FETCH)
                                         : fetch_command_i;
  assign next_block = fetched_q
                   && (state_q == StBootWait
                       || (state_q == StIssue && opcode == cimc_pkg::OP_NEXT));
  assign finish = (state_q == StIssue) && (opcode == cimc_pkg::OP_END) && (&idle_i);
  assign issued = (state_q == StIssue) && (|push_o);

  assign fetch_re_o    = state_q == StRead;
  assign fetch_index_o = {half_q, index_q};
  assign fill_half_o   = ~half_q;
  assign clear_o       = (state_q == StIdle) && start_i;

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) begin
      state_q   <= StIdle;
      half_q    <= 1'b1;
      fetched_q <= 1'b0;
      index_q   <= '0;
      cycle_q   <= '0;
      cycles_o  <= '0;
      done_o    <= 1'b0;
    end else begin
      cycle_q <= cycle_q + 1'b1;
      if (fetch_done_i) fetched_q <= 1'b1;
      else if (next_block) fetched_q <= 1'b0;
      case (state_q)
        StIdle: if (start_i) begin
          state_q <= StBoot;
          half_q  <= 1'b1;
          cycle_q <= 32'd1;
          done_o  <= 1'b0;
        end
        StBoot: state_q <= StBootWait;
        StRead: state_q <= StIssue;
        default: begin
          if (next_block) begin
            state_q <= StRead;
            half_q  <= ~half_q;
            index_q <= '0;
          end else if (issued) begin
            state_q <= StRead;
            index_q <= index_q + 1'b1;
          end else if (finish) begin
            state_q  <= StIdle;
            done_o   <= 1'b1;
            cycles_o <= cycle_q + 1'b1;
          end
        end
      endcase
    end
  end

`ifdef CIMC_ASSERT
  always @(posedge clk_i) begin
    if (state_q == StIssue && opcode > cimc_pkg::OP_LOAD_TAPS) begin
      $fatal(1, "%m: opcode %0d does not exist (cycle %0d)", opcode, cycle_q);
    end
  end
`endif
endmodule
