-- VGM files played on the chip.
local core = require "ym2612ml.core"
local decoders = require "ym2612ml.vgm.decoder"
local file = require "ym2612ml.vgm.file"
local writes = require "ym2612ml.vgm.writes"

local M = {}

-- Ticks that a file plays, at most `longest`; how many writes to the chip there are, those
-- of samples aside; and whether there is more.
local function measure(source, loops, longest)
  local count = 0
  local decoder = decoders.new(source, { loops = loops })
  decoder:run(longest, function()
    count = count + 1
  end)
  return math.min(decoder.tick, longest), count, not decoder.ended
end

-- Plays a file, so many ticks of it, into a tensor (frames, 2) at the chip's own rate. What
-- the chip is behind with comes at once.
local function play(source, loops, chip, ticks, per_tick, samples)
  local total, position, target = #samples, 0, 0 -- frames, frames, ticks
  local rows = core.tensor.new({ writes.MOST_OF_CHUNK, 4 }, "i32")
  local gathered = core.vgm.writes(rows, per_tick, ticks)
  local decoder, add = decoders.new(source, { loops = loops, samples = gathered }), writes.adder(gathered)
  local raw = samples:type() == "i32"
  while position < total do
    gathered:clear(position)
    if decoder.tick >= target then
      target = math.min(target + writes.CHUNK, ticks)
    end
    decoder:run(target, add, writes.COMMANDS)
    local now = math.min(decoder.tick, target)
    local finished = decoder.ended or now >= ticks
    local until_frame = finished and total or math.floor(now * per_tick)
    local chunk = rows:slice(1, gathered:count())
    local part = chip:play(chunk, math.max(0, until_frame - position), raw)
    local fitting = math.min(#part, total - position)
    if fitting > 0 then
      samples:slice(position + 1, position + fitting):copy(part:slice(1, fitting))
      position = position + fitting
    end
  end
  return decoder
end

-- Both sides of samples (frames, 2) at another rate.
local function resampled(samples, from, to)
  local sides, result = samples:permute { 2, 1 }, nil
  for side = 1, 2 do
    local moved, message, kind = core.audio.resample(sides[side], from, to, { quick = true })
    if not moved then
      return nil, message, kind
    end
    result = result or core.tensor.new { #moved, 2 }
    result:permute({ 2, 1 })[side]:copy(moved)
  end
  return result
end

--- Plays a file.
---@param source ym2612ml.VgmFile
---@param options ym2612ml.VgmRenderOptions  checked, with defaults
---@return ym2612ml.Tensor? samples  (samples, 2)
---@return integer|string rate  Hz, rounded; or the message
---@return string[]|string notes  or the kind: "input"
function M.play(source, options)
  local native = (source.header.clock or file.CLOCK) / 144
  local ticks, count, more = measure(source, options.loops, math.floor(options.longest * file.RATE))
  local frames = math.floor(ticks * native / file.RATE)
  if count == 0 or frames == 0 then
    return nil, "plays nothing on a YM2612", "input"
  end
  local samples = core.tensor.new({ frames, 2 }, options.raw and "i32" or "f32")
  local chip = core.chip.new { chip = options.chip or source.header.chip }
  local decoder = play(source, options.loops, chip, ticks, native / file.RATE, samples)
  if more then
    decoder:note(("what comes after %g seconds is left out"):format(options.longest))
  end
  if options.rate then
    local message, kind
    samples, message, kind = resampled(samples, native, options.rate)
    if not samples then
      return nil, message, kind
    end
  end
  return samples, options.rate or math.floor(native + 0.5), decoder.notes
end

return M
