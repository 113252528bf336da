-- Writes to the chip with their times, as tensors.
local core = require "ym2612ml.core"
local file = require "ym2612ml.vgm.file"

local M = {}

--- Ticks and commands decoded at a time.
M.CHUNK, M.COMMANDS = file.RATE // 4, 1 << 18

local LATEST = 1 << 30 -- ticks: 6.7 hours
local MOST = 1 << 24 -- in memory: 256 MB

--- Makes a place for writes to gather.
---@return fun(time: integer, port: integer, register: integer, value: integer) write
---@return fun(): ym2612ml.Tensor take  gives the writes since it was last called: i32
---  (writes, 4)
function M.gather()
  local numbers, used = {}, 0
  local function write(time, port, register, value)
    numbers[used + 1], numbers[used + 2], numbers[used + 3], numbers[used + 4] = time, port, register, value
    used = used + 4
  end
  local function take()
    local gathered, count = numbers, used // 4
    numbers, used = {}, 0
    if count == 0 then
      return core.tensor.new({ 0, 4 }, "i32")
    end
    return core.tensor.from(gathered, "i32"):reshape { count, 4 }
  end
  return write, take
end

--- All writes of a file.
---@param decoder table
---@return ym2612ml.Tensor? writes  i32 (writes, 4): ticks, port, register, value
---@return string? message
---@return string? kind  "format": there are too many
function M.all(decoder)
  local write, take = M.gather()
  local chunks, count = {}, 0
  while not decoder.ended and decoder.tick < LATEST do
    decoder:run(math.min(decoder.tick + M.CHUNK, LATEST), write, M.COMMANDS)
    local chunk = take()
    chunks[#chunks + 1] = #chunk > 0 and chunk or nil
    count = count + #chunk
    if count > MOST then
      return nil, ("more than %d writes"):format(MOST), "format"
    end
  end
  if not decoder.ended then
    decoder:stop("what comes after 6.7 hours is not read")
  end
  local writes, row = core.tensor.new({ count, 4 }, "i32"), 0
  for _, chunk in ipairs(chunks) do
    writes:slice(row + 1, row + #chunk):copy(chunk)
    row = row + #chunk
  end
  return writes
end

return M
