// Post-processor: turns the held accumulators of a pixel into bytes, a group of lanes a cycle.
//
// pixel_i says that the accumulators of a pixel are held from the next cycle on. Groups follow
// back to back; a group's bytes are at the write port five cycles after it is taken.
module cimc_postprocess (
  input  logic clk_i,
  input  logic rst_ni,
  input  logic                                 start_i,
  input  logic [cimc_pkg::CMD_ARRAY_ANY_W-1:0] command_i,
  input  logic                                 pixel_i,
  input  logic [64*cimc_pkg::Outputs-1:0]      hold_i,     // two outputs a lane
  // Parameters
  output logic                                 parameter_re_o,
  output logic                                 parameter_set_o,
  output logic [$clog2(2*cimc_pkg::Outputs+1)-1:0] parameter_group_o,
  input  logic [64*cimc_pkg::RequantLanes-1:0] parameters_i,
  // Write port of the activation buffer
  output logic                                       we_o,
  output logic [cimc_pkg::ActivationAddressBits-1:0] waddr_o,
  output logic [8*cimc_pkg::RequantLanes-1:0]        wdata_o,
  output logic [cimc_pkg::RequantLanes-1:0]          wstrb_o,
  // Last byte of a pixel is written in this cycle
  output logic                                       pixel_done_o
);
  localparam int Group = cimc_pkg::RequantLanes;
  localparam int GroupBits = $clog2(2 * cimc_pkg::Outputs + 1);
  localparam int AddressBits = cimc_pkg::ActivationAddressBits;
  localparam int CountBits = cimc_pkg::CMD_ARRAY_NX_W;
  localparam int LaneBits = cimc_pkg::CMD_ARRAY_LANES_W;
  localparam int ByteBits = cimc_pkg::CMD_ARRAY_LOW_W;

  // Fields that are needed while the command runs
  logic [CountBits-1:0]       nx_q;
  logic [AddressBits-1:0]     dst_x_q, dst_y_q;
  logic [LaneBits-1:0]        lanes_q;
  logic [GroupBits-1:0]       first_group_q, last_group_q;
  logic signed [ByteBits-1:0] zero_q, low_q, high_q;
  logic                       wide_q;
  logic [LaneBits-1:0]        lanes;
  logic [GroupBits-1:0]       first_group;   // of the command's bank group
  logic [8*cimc_pkg::Groups-1:0] firsts;

  assign firsts      = cimc_pkg::GroupFirsts;
  assign first_group = GroupBits'(firsts[8*32'(command_i[cimc_pkg::CMD_ARRAY_GROUP_LSB
                                                         +: cimc_pkg::CMD_ARRAY_GROUP_W]) +: 8])
                       << $clog2(cimc_pkg::Lanes / Group);
  assign lanes = command_i[cimc_pkg::CMD_ARRAY_LANES_LSB +: LaneBits];

  always_ff @(posedge clk_i) begin
    if (start_i) begin
      nx_q            <= command_i[cimc_pkg::CMD_ARRAY_NX_LSB +: CountBits];
      dst_x_q         <= command_i[cimc_pkg::CMD_ARRAY_DST_X_LSB +: AddressBits];
      dst_y_q         <= command_i[cimc_pkg::CMD_ARRAY_DST_Y_LSB +: AddressBits];
      lanes_q         <= lanes;
      first_group_q   <= first_group;
      last_group_q    <= first_group + GroupBits'((lanes - 1'b1) >> $clog2(Group));
      zero_q          <= command_i[cimc_pkg::CMD_ARRAY_Y_ZERO_LSB +: ByteBits];
      low_q           <= command_i[cimc_pkg::CMD_ARRAY_LOW_LSB +: ByteBits];
      high_q          <= command_i[cimc_pkg::CMD_ARRAY_HIGH_LSB +: ByteBits];
      wide_q          <= command_i[cimc_pkg::CMD_ARRAY_WIDE_LSB];
      parameter_set_o <= command_i[cimc_pkg::CMD_ARRAY_PARAM_SET_LSB];
    end
  end

  // Groups, front: taking
  logic                 active_q;
  logic [GroupBits-1:0] group_q;
  logic                 last_group;

  assign last_group = group_q == last_group_q;

  always_ff @(posedge clk_i or negedge rst_ni) begin
    if (!rst_ni) active_q <= 1'b0;
    else if (pixel_i) active_q <= 1'b1;
    else if (last_group) active_q <= 1'b0;
  end

  always_ff @(posedge clk_i) begin
    if (pixel_i) group_q <= first_group_q;
    else if (active_q) group_q <= group_q + 1'b1;
  end

  assign parameter_re_o    = active_q;
  assign parameter_group_o = group_q;

  localparam int LaneGroups = cimc_pkg::Lanes / Group;

  logic [32*Group-1:0] acc;
  int                  half;

  always_comb begin
    acc  = '0;
    half = (32'(group_q) >= LaneGroups) ? cimc_pkg::Outputs : 0;
    if (active_q && wide_q) begin
      // Sums of an output in all clusters; those of second weights lie behind all first ones.
      for (int k = 0; k < cimc_pkg::Clusters; k++) begin
        for (int l = 0; l < Group; l++) begin
          acc[32*l +: 32] = acc[32*l +: 32]
            + hold_i[32*(half + k*cimc_pkg::Lanes + Group*(32'(group_q) % LaneGroups) + l) +: 32];
        end
      end
    end else if (active_q) begin
      acc = hold_i[32*Group*32'(group_q) +: 32*Group];
    end
  end

  logic                valid;
  logic [11*Group-1:0] value;

  cimc_requant u_requant (
    .clk_i       (clk_i),
    .rst_ni      (rst_ni),
    .valid_i     (active_q),
    .acc_i       (acc),
    .parameters_i(parameters_i),
    .valid_o     (valid),
    .value_o     (value)
  );

  // Groups, back: writing
  logic [GroupBits-1:0]   write_group_q;
  logic [LaneBits-1:0]    write_lane_q;   // first lane of the group
  logic [CountBits-1:0]   x_q;            // pixels left in the line
  logic [AddressBits-1:0] write_q, pixel_q, line_q;
  logic [AddressBits-1:0] next_pixel;

  assign pixel_done_o = valid && write_group_q == last_group_q;
  assign next_pixel   = (x_q == CountBits'(1)) ? line_q + dst_y_q : pixel_q + dst_x_q;

  always_ff @(posedge clk_i) begin
    if (start_i) begin
      x_q           <= command_i[cimc_pkg::CMD_ARRAY_NX_LSB +: CountBits];
      write_q       <= command_i[cimc_pkg::CMD_ARRAY_DST_LSB +: AddressBits];
      pixel_q       <= command_i[cimc_pkg::CMD_ARRAY_DST_LSB +: AddressBits];
      line_q        <= command_i[cimc_pkg::CMD_ARRAY_DST_LSB +: AddressBits];
      write_group_q <= first_group;
      write_lane_q  <= '0;
    end else if (pixel_done_o) begin
      x_q           <= (x_q == CountBits'(1)) ? nx_q : x_q - 1'b1;
      write_q       <= next_pixel;
      pixel_q       <= next_pixel;
      if (x_q == CountBits'(1)) line_q <= line_q + dst_y_q;
      write_group_q <= first_group_q;
      write_lane_q  <= '0;
    end else if (valid) begin
      write_q       <= write_q + AddressBits'(Group);
      write_group_q <= write_group_q + 1'b1;
      write_lane_q  <= write_lane_q + LaneBits'(Group);
    end
  end

  assign we_o    = valid;
  assign waddr_o = write_q;

  // No function calls in always_comb: Icarus 11 then wakes every such process for ever.
  for (genvar l = 0; l < Group; l++) begin : gen_byte
    assign wdata_o[8*l +: 8] = valid ? cimc_math_pkg::result_byte($signed(value[11*l +: 11]),
                                                                  zero_q, low_q, high_q)
                                     : '0;
    assign wstrb_o[l] = (LaneBits+1)'(write_lane_q) + (LaneBits+1)'(l) < (LaneBits+1)'(lanes_q);
  end

`ifdef CIMC_ASSERT
  always @(posedge clk_i) begin
    if (pixel_i && active_q && !last_group) begin
      $fatal(1, "%m: a pixel ends before the one before it is taken");
    end
  end
`endif
endmodule
