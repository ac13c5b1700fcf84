// Memory macro: one array bank of 8T cells; a black box in synthesis.
//
// The write port writes a physical row. The read port turns on any subset of the WordlineWindow
// rows from a base row; the bit lines give the OR of their cells one cycle later.
module cimc_bank #(
  parameter int Rows = cimc_pkg::BankRows,
  parameter int Columns = cimc_pkg::RowColumns,
  parameter int Window = cimc_pkg::WordlineWindow,
  localparam int AddressBits = (Rows > 1) ? $clog2(Rows) : 1
) (
  input  logic                   clk_i,
  input  logic                   we_i,
  input  logic [AddressBits-1:0] waddr_i,
  input  logic [Columns-1:0]     wdata_i,
  input  logic                   re_i,
  input  logic [AddressBits-1:0] raddr_i,      // base row
  input  logic [Window-1:0]      wordlines_i,  // row base + j
  output logic [Columns-1:0]     rdata_o
);
  logic [Columns-1:0] row_q [Rows];

  always_ff @(posedge clk_i) begin
    if (we_i) row_q[waddr_i] <= wdata_i;
  end

  always_ff @(posedge clk_i) begin : p_read
    logic [Columns-1:0] bitlines;
    if (re_i) begin
      bitlines = '0;
      for (int j = 0; j < Window; j++) begin
        if (wordlines_i[j]) bitlines = bitlines | row_q[AddressBits'(raddr_i + AddressBits'(j))];
      end
      rdata_o <= bitlines;
    end
  end

`ifndef SYNTHESIS
  // Power-up contents, so that two simulators and the emulator agree on every byte.
  initial begin
    for (int i = 0; i < Rows; i++) row_q[i] = '0;
  end
`endif

`ifdef CIMC_ASSERT
  always @(posedge clk_i) begin
    for (int j = 0; j < Window; j++) begin
      if (re_i && wordlines_i[j] && int'(raddr_i) + j >= Rows) begin
        $fatal(1, "%m: row %0d + %0d is beyond the bank", raddr_i, j);
      end
    end
  end
`endif
endmodule
