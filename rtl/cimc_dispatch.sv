// Front of a unit: its command queue, the start rule, tokens and the retire port.
//
// A unit starts the head of its queue in the cycle start_o is high, and answers with done_i in
// the last cycle of the command. It may start the next one in the cycle after.
module cimc_dispatch #(
  parameter int Width = 32
) (
  input  logic             clk_i,
  input  logic             rst_ni,
  input  logic             push_i,
  input  logic [Width-1:0] command_i,
  output logic             full_o,
  output logic             idle_o,    // nothing queued, nothing running
  // Tokens
  output logic [2:0]       wait_o,    // of the head; none while the queue is empty
  input  logic             ready_i,
  output logic [2:0]       signal_o,  // of the running command
  // Unit
  output logic             start_o,
  output logic [Width-1:0] command_o,
  input  logic             done_i,
  // Retire port
  output logic             retire_valid_o,
  output logic [cimc_pkg::CMD_TAG_W-1:0] retire_tag_o
);
  logic valid;
  logic busy_q;
  logic mark_q;

  cimc_queue #(
    .Width(Width),
    .Depth(cimc_pkg::QueueDepth)
  ) u_queue (
    .clk_i  (clk_i),
    .rst_ni (rst_ni),
    .push_i (push_i),
    .data_i (command_i),
    .full_o (full_o),
    .pop_i  (start_o),
    .valid_o(valid),
    .data_o (command_o)
  );

  assign wait_o  = command_o[cimc_pkg::CMD_WAIT_LSB +: cimc_pkg::CMD_WAIT_W];
  assign start_o = valid && !busy_q && ready_i;
  assign idle_o  = !valid && !busy_q;

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) busy_q <= 1'b0;
    else if (start_o) busy_q <= 1'b1;
    else if (done_i) busy_q <= 1'b0;
  end

  always_ff @(posedge clk_i) begin
    if (start_o) begin
      signal_o     <= command_o[cimc_pkg::CMD_SIGNAL_LSB +: cimc_pkg::CMD_SIGNAL_W];
      mark_q       <= command_o[cimc_pkg::CMD_MARK_LSB];
      retire_tag_o <= command_o[cimc_pkg::CMD_TAG_LSB +: cimc_pkg::CMD_TAG_W];
    end
  end

  assign retire_valid_o = done_i && mark_q;

`ifdef CIMC_ASSERT
  always @(posedge clk_i) begin
    if (done_i && !busy_q) $fatal(1, "%m: done without a command");
  end
`endif
endmodule
