// Activation buffer: reads and writes one beat of bytes at any byte address, one of each a cycle.
//
// Even and odd words are two memories, so the two words that a beat may straddle are read and
// written together. A read answers in the next cycle. A write is registered once: a read asked
// for two cycles after it sees the new bytes. Addresses wrap.
module cimc_buffer (
  input  logic clk_i,
  input  logic rst_ni,
  input  logic                                       re_i,
  input  logic [cimc_pkg::ActivationAddressBits-1:0] raddr_i,
  output logic [cimc_pkg::BeatBits-1:0]              rdata_o,
  input  logic                                       we_i,
  input  logic [cimc_pkg::ActivationAddressBits-1:0] waddr_i,
  input  logic [cimc_pkg::BeatBits-1:0]              wdata_i,
  input  logic [cimc_pkg::BeatBytes-1:0]             wstrb_i
);
  localparam int AddressBits = cimc_pkg::ActivationAddressBits;
  localparam int IndexBits = cimc_pkg::BeatIndexBits;
  localparam int RowBits = AddressBits - IndexBits - 1;  // row: an even word and the odd one after
  localparam int BeatBits = cimc_pkg::BeatBits;
  localparam int BeatBytes = cimc_pkg::BeatBytes;

  // Read
  logic [RowBits-1:0]   read_row;
  logic                 read_odd;
  logic                 read_valid_q, read_odd_q;
  logic [IndexBits-1:0] read_shift_q;
  logic [BeatBits-1:0]  even_rdata, odd_rdata;

  assign read_row = raddr_i[AddressBits-1 : IndexBits+1];
  assign read_odd = raddr_i[IndexBits];

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) read_valid_q <= 1'b0;
    else read_valid_q <= re_i;
  end

  always_ff @(posedge clk_i) begin
    if (re_i) begin
      read_odd_q   <= read_odd;
      read_shift_q <= raddr_i[IndexBits-1:0];
    end
  end

  always_comb begin : p_align
    logic [2*BeatBits-1:0] words;
    words   = '0;
    rdata_o = '0;
    if (read_valid_q) begin
      words   = read_odd_q ? {even_rdata, odd_rdata} : {odd_rdata, even_rdata};
      rdata_o = BeatBits'(words >> {read_shift_q, 3'b000});
    end
  end

  // Write
  logic                   write_valid_q, write_odd_q;
  logic [RowBits-1:0]     write_row_q;
  logic [BeatBits-1:0]    write_data_q;   // rotated: each byte at its place in a word
  logic [2*BeatBytes-1:0] write_strobe_q; // of the first word, of the word after

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) write_valid_q <= 1'b0;
    else write_valid_q <= we_i;
  end

  always_ff @(posedge clk_i) begin
    if (we_i) begin
      write_data_q   <= BeatBits'({2{wdata_i}} >> {-waddr_i[IndexBits-1:0], 3'b000});
      write_strobe_q <= (2 * BeatBytes)'(wstrb_i) << waddr_i[IndexBits-1:0];
      write_row_q    <= waddr_i[AddressBits-1 : IndexBits+1];
      write_odd_q    <= waddr_i[IndexBits];
    end
  end

  logic [BeatBytes-1:0] even_strobe, odd_strobe;
  logic [RowBits-1:0]   even_write_row;

  assign even_strobe = write_odd_q ? write_strobe_q[BeatBytes +: BeatBytes]
                                   : write_strobe_q[0 +: BeatBytes];
  assign odd_strobe  = write_odd_q ? write_strobe_q[0 +: BeatBytes]
                                   : write_strobe_q[BeatBytes +: BeatBytes];
  assign even_write_row = write_odd_q ? write_row_q + 1'b1 : write_row_q;

  cimc_sram_1r1w_strobe #(
    .Width(BeatBits),
    .Depth(1 << RowBits)
  ) u_even (
    .clk_i  (clk_i),
    .we_i   (write_valid_q && (|even_strobe)),
    .waddr_i(even_write_row),
    .wdata_i(write_data_q),
    .wstrb_i(even_strobe),
    .re_i   (re_i),
    .raddr_i(read_odd ? read_row + 1'b1 : read_row),
    .rdata_o(even_rdata)
  );

  cimc_sram_1r1w_strobe #(
    .Width(BeatBits),
    .Depth(1 << RowBits)
  ) u_odd (
    .clk_i  (clk_i),
    .we_i   (write_valid_q && (|odd_strobe)),
    .waddr_i(write_row_q),
    .wdata_i(write_data_q),
    .wstrb_i(odd_strobe),
    .re_i   (re_i),
    .raddr_i(read_row),
    .rdata_o(odd_rdata)
  );
endmodule
