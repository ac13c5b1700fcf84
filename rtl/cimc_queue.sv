// First-in first-out queue; the head is a register, so it costs nothing while it stands.
module cimc_queue #(
  parameter int Width = 32,
  parameter int Depth = 4
) (
  input  logic             clk_i,
  input  logic             rst_ni,
  input  logic             push_i,   // only while full_o is low
  input  logic [Width-1:0] data_i,
  output logic             full_o,
  input  logic             pop_i,    // only while valid_o is high
  output logic             valid_o,
  output logic [Width-1:0] data_o
);
  localparam int CountBits = $clog2(Depth + 1);

  logic [Depth*Width-1:0] slots_q;  // the head lowest
  logic [CountBits-1:0]   count_q, write_at;

  assign full_o   = count_q == CountBits'(Depth);
  assign valid_o  = count_q != '0;
  assign data_o   = slots_q[0 +: Width];
  assign write_at = pop_i ? count_q - 1'b1 : count_q;

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) count_q <= '0;
    else if (push_i && !pop_i) count_q <= count_q + 1'b1;
    else if (pop_i && !push_i) count_q <= count_q - 1'b1;
  end

  always_ff @(posedge clk_i) begin
    for (int i = 0; i < Depth; i++) begin
      if (push_i && write_at == CountBits'(i)) slots_q[i*Width +: Width] <= data_i;
      else if (pop_i) slots_q[i*Width +: Width] <= slots_q[((i + 1) % Depth)*Width +: Width];
    end
  end

`ifdef CIMC_ASSERT
  always @(posedge clk_i) begin
    if (push_i && full_o) $fatal(1, "%m: push into a full queue");
    if (pop_i && !valid_o) $fatal(1, "%m: pop from an empty queue");
  end
`endif
endmodule
