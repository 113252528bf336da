-- Writes to the chip with their times, as tensors.
local core = require "ym2612ml.core"
local decoders = require "ym2612ml.vgm.decoder"
local file = require "ym2612ml.vgm.file"

local M = {}

--- Ticks and commands decoded at a time, and how many writes come of so much at most: four
--- streams may play, each of a sample a tick.
M.CHUNK, M.COMMANDS = file.RATE // 20, 1 << 13
M.MOST_OF_CHUNK = M.COMMANDS + 4 * M.CHUNK

local LATEST = 1 << 30 -- ticks: 6.7 hours
local MOST = 12 << 20 -- in memory: 192 MiB; samples at 44,100 Hz for 4 min 45 s

--- A function for the decoder that adds to writes.
---@param writes userdata  core.vgm.writes
---@return fun(tick: integer, port: integer, register: integer, value: integer)
function M.adder(writes)
  local add = writes.add
  return function(tick, port, register, value)
    add(writes, tick, port, register, value)
  end
end

-- Gathers all writes of a file in the rows of a tensor, as far as there are rows and writes
-- are not too many. Returns how many there are, and the notes.
local function gather(source, rows)
  local writes = core.vgm.writes(rows)
  local decoder, add = decoders.new(source, { samples = writes }), M.adder(writes)
  while not decoder.ended and decoder.tick < LATEST and writes:count() <= MOST do
    decoder:run(math.min(decoder.tick + M.CHUNK, LATEST), add, M.COMMANDS)
  end
  if not decoder.ended then
    decoder:stop("what comes after 6.7 hours is not read")
  end
  return writes:count(), decoder.notes
end

--- All writes of a file. They are counted first, so that memory is taken once.
---@param source ym2612ml.VgmFile
---@return ym2612ml.Tensor? writes  i32 (writes, 4): ticks, port, register, value
---@return string[]|string notes  what was passed over; or the message
---@return string? kind  "format": there are too many
function M.all(source)
  local count = gather(source, core.tensor.new({ 0, 4 }, "i32"))
  if count > MOST then
    return nil, ("more than %d writes"):format(MOST), "format"
  end
  local rows = core.tensor.new({ count, 4 }, "i32")
  local _, notes = gather(source, rows)
  return rows, notes
end

return M
