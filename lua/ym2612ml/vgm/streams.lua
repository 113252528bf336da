-- Streams of VGM files: samples of a bank that are written to a register at a steady
-- rate, as commands 0x90 to 0x95 tell.
local file = require "ym2612ml.vgm.file"

local M = {}

local YM2612 = 0x02 -- the chip's number in these commands
local NOBODY, KEEP = 0xFF, 0xFFFFFFFF -- the stream that is none; "from where it is"
local MOST = 4 -- streams that play at once; the chip has one place for samples

local Streams = {}
Streams.__index = Streams

--- Makes a player without streams.
---@param bytes string  the file
---@param banks table<integer, table>  by type
---@return table streams
function M.new(bytes, banks)
  return setmetatable({ bytes = bytes, banks = banks, list = {}, playing = {} }, Streams)
end

--- Makes a stream, for this chip only.
---@param id integer
---@param chip integer
---@param port integer
---@param register integer
function Streams:set_up(id, chip, port, register)
  self:stop(id)
  self.list[id] = nil
  if id ~= NOBODY and chip == YM2612 and port < 2 then
    self.list[id] = { port = port, register = register, bank = 0, step = 1, base = 0, frequency = 0, start = 0 }
  end
end

--- Says what a stream plays.
---@param id integer
---@param bank integer  its type
---@param step integer  how far its samples are apart
---@param base integer  of the first of them
function Streams:set_data(id, bank, step, base)
  local stream = self.list[id]
  if stream then
    stream.bank, stream.step, stream.base = bank, math.max(step, 1), base
  end
end

--- Says how fast: of more samples than ticks, the first are played, one a tick.
---@param id integer
---@param frequency integer  Hz
function Streams:set_frequency(id, frequency)
  local stream = self.list[id]
  if stream then
    stream.frequency = math.min(frequency, file.RATE)
  end
end

-- Begins to play `count` samples.
local function play(self, stream, count, tick, mode)
  self:stop_stream(stream)
  if count < 1 or stream.frequency < 1 or #self.playing == MOST then
    return
  end
  stream.count, stream.done, stream.due = count, 0, tick
  stream.reverse, stream.again = mode.reverse, mode.again
  self.playing[#self.playing + 1] = stream
end

--- Starts a stream.
---@param id integer
---@param start integer  offset in the bank
---@param flags integer  bits 0 to 3: what length means; 4: backwards; 7: again and again
---@param length integer
---@param tick integer  now
function Streams:start(id, start, flags, length, tick)
  local stream = self.list[id]
  if not stream then
    return
  end
  stream.start = start ~= KEEP and start + stream.base or stream.start
  local kind, count = flags & 15
  if kind == 1 then
    count = length
  elseif kind == 2 then
    count = length * stream.frequency // 1000
  elseif kind == 3 then
    local bank = self.banks[stream.bank]
    count = bank and (bank.size - stream.start + stream.step - 1) // stream.step or 0
  else
    return -- only the place was told
  end
  play(self, stream, count, tick, { reverse = flags & 0x10 ~= 0, again = flags & 0x80 ~= 0 })
end

--- Starts a stream on a block of its bank.
---@param id integer
---@param number integer  of the block, from 0
---@param flags integer  bit 0: again and again; 4: backwards
---@param tick integer  now
function Streams:start_block(id, number, flags, tick)
  local stream = self.list[id]
  local bank = stream and self.banks[stream.bank]
  local block = bank and bank.blocks[number + 1]
  if block then
    stream.start = block.offset + stream.base
    play(self, stream, (block.length - stream.base + stream.step - 1) // stream.step, tick,
      { reverse = flags & 0x10 ~= 0, again = flags & 1 ~= 0 })
  end
end

--- Takes a stream out of those that play.
---@param stream table
function Streams:stop_stream(stream)
  for i, playing in ipairs(self.playing) do
    if playing == stream then
      table.remove(self.playing, i)
      return
    end
  end
end

--- Stops a stream, or with the number of none all of them.
---@param id integer
function Streams:stop(id)
  if id == NOBODY then
    self.playing = {}
  elseif self.list[id] then
    self:stop_stream(self.list[id])
  end
end

-- The stream whose next sample is the first to come before a time.
local function next_due(playing, before)
  local chosen
  for _, stream in ipairs(playing) do
    if stream.due < before then
      chosen, before = stream, stream.due
    end
  end
  return chosen
end

--- Writes the samples that are due before a time.
---@param before integer  ticks
---@param write fun(tick: integer, port: integer, register: integer, value: integer)
function Streams:advance(before, write)
  local stream = next_due(self.playing, before)
  while stream do
    local place = stream.reverse and stream.count - 1 - stream.done or stream.done
    local bank = self.banks[stream.bank]
    local position = bank and bank:find(stream.start + place * stream.step)
    if position then
      write(math.floor(stream.due), stream.port, stream.register, self.bytes:byte(position))
    end
    stream.done = stream.done + 1
    stream.due = stream.due + file.RATE / stream.frequency
    if stream.done == stream.count and stream.again then
      stream.done = 0
    elseif stream.done == stream.count then
      self:stop_stream(stream)
    end
    stream = next_due(self.playing, before)
  end
end

return M
