// Address generator of the vector unit: loops i2, i1, i0 and the reads of one result.
//
// One read a cycle. MAX, SUM and DEPTHWISE read a window (wy outer, wx inner), ADD and MUL first
// source then second, LUT one, FILL spends a cycle a result without reading.
module cimc_vector_sequencer (
  input  logic clk_i,
  input  logic rst_ni,
  input  logic start_i,
  /* verilator lint_off UNUSEDSIGNAL */ // takes the fields of the loops only
  input  logic [cimc_pkg::CMD_VECTOR_ANY_W-1:0] command_i,
  /* verilator lint_on UNUSEDSIGNAL */
  // The read of this cycle
  output logic                                       valid_o,
  output logic [cimc_pkg::ActivationAddressBits-1:0] address_o,
  output logic                                       first_o,   // of its result
  output logic                                       last_o,    // of its result
  output logic                                       final_o,   // of the command
  output logic                                       tail_o,    // result of the last i0
  output logic [cimc_pkg::ActivationAddressBits-1:0] result_o   // address of the result
);
  localparam int AddressBits = cimc_pkg::ActivationAddressBits;
  localparam int CountBits = cimc_pkg::CMD_VECTOR_N0_W;
  localparam int WindowBits = cimc_pkg::CMD_VECTOR_WX_W;

  // Fields that are needed while the command runs
  logic [CountBits-1:0]   n0_q, n1_q;
  logic [AddressBits-1:0] a0_q, a1_q, a2_q, b0_q, b1_q, b2_q, d0_q, d1_q, d2_q;
  logic [WindowBits-1:0]  wx_q, wy_q;
  logic                   two_q;      // ADD, MUL: a second source

  logic [cimc_pkg::CMD_VECTOR_OP_W-1:0] op;
  logic [WindowBits-1:0]  wx, wy;     // reads of a result as a window
  logic [AddressBits-1:0] a, b, d;

  assign op = command_i[cimc_pkg::CMD_VECTOR_OP_LSB +: cimc_pkg::CMD_VECTOR_OP_W];
  assign a  = command_i[cimc_pkg::CMD_VECTOR_A_LSB +: AddressBits];
  assign b  = command_i[cimc_pkg::CMD_VECTOR_B_LSB +: AddressBits];
  assign d  = command_i[cimc_pkg::CMD_VECTOR_DST_LSB +: AddressBits];

  always_comb begin
    wx = WindowBits'(1);
    wy = WindowBits'(1);
    case (op)
      cimc_pkg::VOP_MAX, cimc_pkg::VOP_SUM, cimc_pkg::VOP_DEPTHWISE: begin
        wx = command_i[cimc_pkg::CMD_VECTOR_WX_LSB +: WindowBits];
        wy = command_i[cimc_pkg::CMD_VECTOR_WY_LSB +: WindowBits];
      end
      cimc_pkg::VOP_ADD, cimc_pkg::VOP_MUL: wx = WindowBits'(2);
      default: wx = WindowBits'(1);
    endcase
  end

  always_ff @(posedge clk_i) begin
    if (start_i) begin
      two_q <= op == cimc_pkg::VOP_ADD || op == cimc_pkg::VOP_MUL;
      n0_q  <= command_i[cimc_pkg::CMD_VECTOR_N0_LSB +: CountBits];
      n1_q  <= command_i[cimc_pkg::CMD_VECTOR_N1_LSB +: CountBits];
      wx_q  <= wx;
      wy_q  <= wy;
      a0_q  <= command_i[cimc_pkg::CMD_VECTOR_A0_LSB +: AddressBits];
      a1_q  <= command_i[cimc_pkg::CMD_VECTOR_A1_LSB +: AddressBits];
      a2_q  <= command_i[cimc_pkg::CMD_VECTOR_A2_LSB +: AddressBits];
      b0_q  <= command_i[cimc_pkg::CMD_VECTOR_B0_LSB +: AddressBits];
      b1_q  <= command_i[cimc_pkg::CMD_VECTOR_B1_LSB +: AddressBits];
      b2_q  <= command_i[cimc_pkg::CMD_VECTOR_B2_LSB +: AddressBits];
      d0_q  <= command_i[cimc_pkg::CMD_VECTOR_D0_LSB +: AddressBits];
      d1_q  <= command_i[cimc_pkg::CMD_VECTOR_D1_LSB +: AddressBits];
      d2_q  <= command_i[cimc_pkg::CMD_VECTOR_D2_LSB +: AddressBits];
    end
  end

  // Loop counters, each counting down to 1
  logic [CountBits-1:0]  i0_q, i1_q, i2_q;
  logic [WindowBits-1:0] jx_q, jy_q;
  logic                  active, last_jx, last_read, last_i0, last_i1;

  assign active    = i2_q != '0;
  assign last_jx   = jx_q == WindowBits'(1);
  assign last_read = last_jx && jy_q == WindowBits'(1);
  assign last_i0   = i0_q == CountBits'(1);
  assign last_i1   = i1_q == CountBits'(1);

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) i2_q <= '0;
    else if (start_i) i2_q <= command_i[cimc_pkg::CMD_VECTOR_N2_LSB +: CountBits];
    else if (active && last_read && last_i0 && last_i1) i2_q <= i2_q - 1'b1;
  end

  // Addresses of the loop levels: of the result, and of the two sources
  logic                   first_q;
  logic [AddressBits-1:0] read_q, window_q;            // this read; first read of the window line
  logic [AddressBits-1:0] first0_q, first1_q, first2_q;   // first source at i0, i1, i2
  logic [AddressBits-1:0] second0_q, second1_q, second2_q;
  logic [AddressBits-1:0] result0_q, result1_q, result2_q;
  logic [AddressBits-1:0] first_next, second_next, result_next;

  always_comb begin
    if (!last_i0) begin
      first_next  = first0_q + a0_q;
      second_next = second0_q + b0_q;
      result_next = result0_q + d0_q;
    end else if (!last_i1) begin
      first_next  = first1_q + a1_q;
      second_next = second1_q + b1_q;
      result_next = result1_q + d1_q;
    end else begin
      first_next  = first2_q + a2_q;
      second_next = second2_q + b2_q;
      result_next = result2_q + d2_q;
    end
  end

  always_ff @(posedge clk_i) begin
    if (start_i) begin
      i0_q      <= command_i[cimc_pkg::CMD_VECTOR_N0_LSB +: CountBits];
      i1_q      <= command_i[cimc_pkg::CMD_VECTOR_N1_LSB +: CountBits];
      jx_q      <= wx;
      jy_q      <= wy;
      first_q   <= 1'b1;
      read_q    <= a;
      window_q  <= a;
      first0_q  <= a;
      first1_q  <= a;
      first2_q  <= a;
      second0_q <= b;
      second1_q <= b;
      second2_q <= b;
      result0_q <= d;
      result1_q <= d;
      result2_q <= d;
    end else if (active && last_read) begin
      jx_q      <= wx_q;
      jy_q      <= wy_q;
      first_q   <= 1'b1;
      read_q    <= first_next;
      window_q  <= first_next;
      first0_q  <= first_next;
      second0_q <= second_next;
      result0_q <= result_next;
      i0_q      <= last_i0 ? n0_q : i0_q - 1'b1;
      if (last_i0) begin
        first1_q  <= first_next;
        second1_q <= second_next;
        result1_q <= result_next;
        i1_q      <= last_i1 ? n1_q : i1_q - 1'b1;
      end
      if (last_i0 && last_i1) begin
        first2_q  <= first_next;
        second2_q <= second_next;
        result2_q <= result_next;
      end
    end else if (active) begin
      first_q <= 1'b0;
      if (last_jx) begin
        jx_q     <= wx_q;
        jy_q     <= jy_q - 1'b1;
        read_q   <= window_q + b1_q;
        window_q <= window_q + b1_q;
      end else begin
        jx_q   <= jx_q - 1'b1;
        read_q <= two_q ? second0_q : read_q + b0_q;
      end
    end
  end

  assign valid_o   = active;
  assign address_o = read_q;
  assign first_o   = first_q;
  assign last_o    = last_read;
  assign final_o   = last_read && last_i0 && last_i1 && i2_q == CountBits'(1);
  assign tail_o    = last_i0;
  assign result_o  = result0_q;
endmodule
