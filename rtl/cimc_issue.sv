// Queues of the three units and the tokens between them.
//
// Bit 0 of a vector is the DMA, 1 the array, 2 the vector unit.
module cimc_issue (
  input  logic       clk_i,
  input  logic       rst_ni,
  input  logic       clear_i,
  // Controller
  input  logic [2:0] push_i,
  /* verilator lint_off UNUSEDSIGNAL */ // no command needs all 64 bytes
  input  logic [cimc_pkg::CommandBits-1:0] command_i,
  /* verilator lint_on UNUSEDSIGNAL */
  output logic [2:0] full_o,
  output logic [2:0] idle_o,
  // Units
  output logic [2:0] start_o,
  input  logic [2:0] done_i,
  output logic [cimc_pkg::CMD_DMA_ANY_W-1:0]    dma_command_o,
  output logic [cimc_pkg::CMD_ARRAY_ANY_W-1:0]  array_command_o,
  output logic [cimc_pkg::CMD_VECTOR_ANY_W-1:0] vector_command_o,
  // Retire ports
  output logic                           dma_retire_valid_o,
  output logic [cimc_pkg::CMD_TAG_W-1:0] dma_retire_tag_o,
  output logic                           array_retire_valid_o,
  output logic [cimc_pkg::CMD_TAG_W-1:0] array_retire_tag_o,
  output logic                           vector_retire_valid_o,
  output logic [cimc_pkg::CMD_TAG_W-1:0] vector_retire_tag_o
);
  logic [2:0] ready;
  logic [8:0] wait_for, signal;

  cimc_tokens u_tokens (
    .clk_i   (clk_i),
    .rst_ni  (rst_ni),
    .clear_i (clear_i),
    .wait_i  (wait_for),
    .start_i (start_o),
    .ready_o (ready),
    .signal_i(signal),
    .done_i  (done_i)
  );

  cimc_dispatch #(
    .Width(cimc_pkg::CMD_DMA_ANY_W)
  ) u_dma_dispatch (
    .clk_i         (clk_i),
    .rst_ni        (rst_ni),
    .push_i        (push_i[0]),
    .command_i     (command_i[cimc_pkg::CMD_DMA_ANY_W-1:0]),
    .full_o        (full_o[0]),
    .idle_o        (idle_o[0]),
    .wait_o        (wait_for[2:0]),
    .ready_i       (ready[0]),
    .signal_o      (signal[2:0]),
    .start_o       (start_o[0]),
    .command_o     (dma_command_o),
    .done_i        (done_i[0]),
    .retire_valid_o(dma_retire_valid_o),
    .retire_tag_o  (dma_retire_tag_o)
  );

  cimc_dispatch #(
    .Width(cimc_pkg::CMD_ARRAY_ANY_W)
  ) u_array_dispatch (
    .clk_i         (clk_i),
    .rst_ni        (rst_ni),
    .push_i        (push_i[1]),
    .command_i     (command_i[cimc_pkg::CMD_ARRAY_ANY_W-1:0]),
    .full_o        (full_o[1]),
    .idle_o        (idle_o[1]),
    .wait_o        (wait_for[5:3]),
    .ready_i       (ready[1]),
    .signal_o      (signal[5:3]),
    .start_o       (start_o[1]),
    .command_o     (array_command_o),
    .done_i        (done_i[1]),
    .retire_valid_o(array_retire_valid_o),
    .retire_tag_o  (array_retire_tag_o)
  );

  cimc_dispatch #(
    .Width(cimc_pkg::CMD_VECTOR_ANY_W)
  ) u_vector_dispatch (
    .clk_i         (clk_i),
    .rst_ni        (rst_ni),
    .push_i        (push_i[2]),
    .command_i     (command_i[cimc_pkg::CMD_VECTOR_ANY_W-1:0]),
    .full_o        (full_o[2]),
    .idle_o        (idle_o[2]),
    .wait_o        (wait_for[8:6]),
    .ready_i       (ready[2]),
    .signal_o      (signal[8:6]),
    .start_o       (start_o[2]),
    .command_o     (vector_command_o),
    .done_i        (done_i[2]),
    .retire_valid_o(vector_retire_valid_o),
    .retire_tag_o  (vector_retire_tag_o)
  );
endmodule
