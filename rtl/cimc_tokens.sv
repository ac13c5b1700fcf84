// Token counters, one for each ordered pair of different units.
//
// Bit 3*u + v of a vector stands for the pair of units u and v: wait_i says whether the head
// command of unit u takes a token of v, signal_i whether the running command of u gives one to v.
module cimc_tokens (
  input  logic       clk_i,
  input  logic       rst_ni,
  input  logic       clear_i,
  input  logic [8:0] wait_i,
  input  logic [2:0] start_i,
  output logic [2:0] ready_o,  // every token that the head command waits for is there
  input  logic [8:0] signal_i,
  input  logic [2:0] done_i
);
  logic [9*8-1:0] count_q;  // tokens from u to v, byte 3*u + v

  always_comb begin
    ready_o = '1;
    for (int u = 0; u < 3; u++) begin
      for (int v = 0; v < 3; v++) begin
        if (u != v && wait_i[3*u+v] && count_q[8*(3*v+u) +: 8] == '0) ready_o[u] = 1'b0;
      end
    end
  end

  always_ff @(posedge clk_i or negedge rst_ni) begin : p_count
    logic give, take;
    if (!rst_ni) begin
      count_q <= '0;
    end else if (clear_i) begin
      count_q <= '0;
    end else begin
      for (int u = 0; u < 3; u++) begin
        for (int v = 0; v < 3; v++) begin
          give = (u != v) && done_i[u] && signal_i[3*u+v];
          take = (u != v) && start_i[v] && wait_i[3*v+u];
          if (give && !take) begin
            count_q[8*(3*u+v) +: 8] <= count_q[8*(3*u+v) +: 8] + 8'd1;
          end else if (take && !give) begin
            count_q[8*(3*u+v) +: 8] <= count_q[8*(3*u+v) +: 8] - 8'd1;
          end
        end
      end
    end
  end

`ifdef CIMC_ASSERT
  always @(posedge clk_i) begin
    for (int u = 0; u < 3; u++) begin
      for (int v = 0; v < 3; v++) begin
        if (u != v && done_i[u] && signal_i[3*u+v] && count_q[8*(3*u+v) +: 8] == '1) begin
          $fatal(1, "%m: more than 255 tokens from unit %0d to unit %0d", u, v);
        end
      end
    end
  end
`endif
endmodule
