// Test bench: the core, a memory with fixed latency, the clock, and dumps of finished tensors.
//
// Raise go_i and wait for finished_o: Python never has to follow the clock. Files come as plus
// arguments:
//   +dram=FILE        memory image, bytes of every beat highest address first
//   +trace=FILE       a line for every retired command: unit (0 DMA, 1 array, 2 vector) tag cycle
//   +regions=FILE     for $readmemh, by tag: space (1 buffer, 2 DRAM), byte address, bytes (8 hex
//                     digits each)
//   +dump=FILE        the region of each tag when it retires: `tag cycle beats`, then the beats
//   +final=FILE       what STORE has changed: `first beats`, then the beats
//   +max_cycles=N     give up then, with timed_out_o
module cimc_tb #(
  parameter int DramBeats = 1 << 21,
  parameter int MemoryLatency = cimc_pkg::MemoryLatency
) (
  input  logic        go_i /* verilator public_flat_rw */,
  output logic        finished_o /* verilator public_flat_rd */,
  output logic        timed_out_o /* verilator public_flat_rd */,
  output logic [31:0] cycles_o /* verilator public_flat_rd */
);
  localparam int BeatBits = cimc_pkg::BeatBits;
  localparam int BeatBytes = cimc_pkg::BeatBytes;
  localparam int BufferRows = cimc_pkg::ActivationBytes / BeatBytes / 2;
  localparam int TagBits = cimc_pkg::CMD_TAG_W;

  logic clk, rst_n, running, start, done;
  logic req_valid, req_we, rsp_valid_q;
  logic [cimc_pkg::BeatAddressBits-1:0] req_addr;
  logic [BeatBits-1:0]                  req_wdata, rsp_rdata_q;
  logic [BeatBytes-1:0]                 req_wstrb;
  logic [2:0]                           retire_valid;
  logic [3*TagBits-1:0]                 retire_tag;

  cimc_core u_core (
    .clk_i                (clk),
    .rst_ni               (rst_n),
    .start_i              (start),
    .done_o               (done),
    .cycles_o             (cycles_o),
    .mem_req_valid_o      (req_valid),
    .mem_req_we_o         (req_we),
    .mem_req_addr_o       (req_addr),
    .mem_req_wdata_o      (req_wdata),
    .mem_req_wstrb_o      (req_wstrb),
    .mem_rsp_valid_i      (rsp_valid_q),
    .mem_rsp_rdata_i      (rsp_rdata_q),
    .dma_retire_valid_o   (retire_valid[0]),
    .dma_retire_tag_o     (retire_tag[0*TagBits +: TagBits]),
    .array_retire_valid_o (retire_valid[1]),
    .array_retire_tag_o   (retire_tag[1*TagBits +: TagBits]),
    .vector_retire_valid_o(retire_valid[2]),
    .vector_retire_tag_o  (retire_tag[2*TagBits +: TagBits])
  );

  // Memory: the answer to a request of cycle t stands in cycle t + MemoryLatency
  logic [BeatBits-1:0] dram [DramBeats];
  logic                asked [MemoryLatency];
  int                  asked_beat [MemoryLatency];
  int                  slot, oldest, first_written, last_written;

  always @(posedge clk) begin : p_memory
    /* verilator lint_off BLKSEQ */ // the memory is a model: sequential statements say its order
    logic [BeatBits-1:0] merged;
    int                  beat;
    beat = int'(req_addr);
    if (!running) begin
      slot          = 0;
      first_written = DramBeats;
      last_written  = -1;
      rsp_valid_q   <= 1'b0;
      for (int i = 0; i < MemoryLatency; i++) asked[i] = 1'b0;
    end else begin
      if (req_valid && beat >= DramBeats) begin
        $fatal(1, "beat %0h is beyond the memory of the test bench", req_addr);
      end
      if (req_valid && req_we) begin
        merged = dram[beat];
        for (int i = 0; i < BeatBytes; i++) begin
          if (req_wstrb[i]) merged[8*i +: 8] = req_wdata[8*i +: 8];
        end
        dram[beat] = merged;
        if (beat < first_written) first_written = beat;
        if (beat > last_written) last_written = beat;
      end
      asked[slot]      = req_valid && !req_we;
      asked_beat[slot] = beat;
      oldest = (slot == MemoryLatency - 1) ? 0 : slot + 1;
      rsp_valid_q <= asked[oldest];
      if (asked[oldest]) rsp_rdata_q <= dram[asked_beat[oldest]];
      slot = oldest;
    end
    /* verilator lint_on BLKSEQ */
  end

  // Trace and dumps: a tensor is dumped two cycles after its command is done, when the write
  // register of the activation buffer has emptied
  int                   cycle, trace_file, dump_file;
  logic [95:0]          region [1 << TagBits];
  logic                 has_regions;
  logic [2:0]           pending1_q, pending2_q;
  logic [3*TagBits-1:0] tag1_q, tag2_q;

  always @(posedge clk) begin
    if (!running) begin
      cycle      <= 0;
      pending1_q <= '0;
      pending2_q <= '0;
    end else begin
      cycle      <= cycle + 1;
      pending1_q <= retire_valid;
      pending2_q <= pending1_q;
      tag1_q     <= retire_tag;
      tag2_q     <= tag1_q;
      for (int u = 0; u < 3; u++) begin
        if (retire_valid[u] && trace_file != 0) begin
          $fwrite(trace_file, "%0d %0d %0d\n", u, retire_tag[u*TagBits +: TagBits], cycle);
        end
        if (pending2_q[u] && has_regions && dump_file != 0) begin
          dump(tag2_q[u*TagBits +: TagBits], cycle - 2);
        end
      end
    end
  end

  task automatic dump(input logic [TagBits-1:0] tag, input int at);
    logic [31:0] space, address, bytes;
    int          first, beats;
    {space, address, bytes} = region[tag];
    first = address / BeatBytes;
    beats = (address % BeatBytes + bytes + BeatBytes - 1) / BeatBytes;
    if (space != 0) begin
      $fwrite(dump_file, "%0d %0d %0d\n", tag, at, beats);
      for (int i = first; i < first + beats; i++) begin
        if (space == 2) $fwrite(dump_file, "%h\n", dram[i]);
        else $fwrite(dump_file, "%h\n", buffer_word(i));
      end
    end
  endtask

  function automatic logic [BeatBits-1:0] buffer_word(input int index);
    logic [$clog2(BufferRows)-1:0] row;
    row = ($clog2(BufferRows))'(index / 2);
    if (index % 2 == 0) buffer_word = u_core.u_buffer.u_even.word_q[row];
    else buffer_word = u_core.u_buffer.u_odd.word_q[row];
  endfunction

  function automatic int open(input string name, input string mode);
    open = $fopen(name, mode);
    if (open == 0) $fatal(1, "cannot open %s", name);
  endfunction

  task automatic finish_files;
    string name;
    int    file;
    if ($value$plusargs("final=%s", name)) begin
      file = open(name, "w");
      $fwrite(file, "%0d %0d\n", first_written,
              last_written < 0 ? 0 : last_written - first_written + 1);
      for (int i = first_written; i <= last_written; i++) $fwrite(file, "%h\n", dram[i]);
      $fclose(file);
    end
    if (trace_file != 0) $fclose(trace_file);
    if (dump_file != 0) $fclose(dump_file);
  endtask

  // One run
  string       name;
  int          file, max_cycles, got;

  initial begin
    clk         = 1'b0;
    rst_n       = 1'b0;
    running     = 1'b0;
    start       = 1'b0;
    finished_o  = 1'b0;
    timed_out_o = 1'b0;
    trace_file  = 0;
    dump_file   = 0;
    has_regions = 1'b0;
    wait (go_i);
    if (!$value$plusargs("max_cycles=%d", max_cycles)) $fatal(1, "+max_cycles=N is missing");
    if (!$value$plusargs("dram=%s", name)) $fatal(1, "+dram=FILE is missing");
    file = open(name, "rb");
    got = $fread(dram, file);
    if (got == 0) $fatal(1, "%s is empty", name);
    $fclose(file);
    if ($value$plusargs("trace=%s", name)) trace_file = open(name, "w");
    if ($value$plusargs("dump=%s", name)) dump_file = open(name, "w");
    if ($value$plusargs("regions=%s", name)) begin
      has_regions = 1'b1;
      for (int i = 0; i < (1 << TagBits); i++) region[i] = '0;
      $readmemh(name, region);
    end

    #1 clk = 1'b1;
    #1 clk = 1'b0;
    rst_n   = 1'b1;
    running = 1'b1;
    start   = 1'b1;
    #1 clk = 1'b1;
    #1 clk = 1'b0;
    start = 1'b0;
    while (!done && cycle < max_cycles) begin
      #1 clk = 1'b1;
      #1 clk = 1'b0;
    end
    timed_out_o = !done;
    repeat (3) begin
      #1 clk = 1'b1;
      #1 clk = 1'b0;
    end
    finish_files();
    finished_o = 1'b1;
  end
endmodule
