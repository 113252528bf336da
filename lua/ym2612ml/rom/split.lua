-- Recordings of a cartridge cut into its notes.
local check = require "ym2612ml.check"
local clocks = require "ym2612ml.rom.clock"
local indices = require "ym2612ml.rom.index"
local listen = require "ym2612ml.rom.listen"
local streams = require "ym2612ml.rom.stream"

local M = {}

--- The least and the largest rate of recordings, in Hz: the sound of a click is around 1 kHz.
M.SLOWEST, M.FASTEST = 4000, 1000000

-- The nearest placed clicks at or before and after each number, by number.
local function surroundings(clicks, count)
  local before, after = {}, {}
  local position = 0
  for number = 1, count do
    while clicks[position + 1] and clicks[position + 1].number <= number do
      position = position + 1
    end
    before[number], after[number] = clicks[position], clicks[position + 1]
  end
  return before, after
end

-- When an entry begins, in seconds of the recording; or nil and why it cannot be told.
local function locate(entry, before, after, scale)
  if before and after then
    local wrong = after.time - before.time - (after.expected - before.expected) * scale
    if math.abs(wrong) > clocks.JUMP then
      return nil, ("the recording %s %.1f ms around it"):format(wrong < 0 and "skips" or "repeats",
        1000 * math.abs(wrong))
    end
  end
  local nearest = before
  if not (before and (after or before.number == entry.number)) then
    nearest = after and after.number == entry.number + 1 and after
  end
  if not nearest then
    return nil, before and "the recording ends before it" or "the recording begins after it"
  end
  return nearest.time + (entry.start - nearest.expected) * scale
end

-- The part of the samples that is an entry's; or nil and why it is not there.
local function cut(entry, sound, time, scale)
  local first = math.floor(time * sound.rate + 0.5)
  local last = first + math.floor((entry.held + entry.release) * scale * sound.rate + 0.5)
  if first < 0 then
    return nil, "the recording begins after it"
  elseif last > #sound.samples then
    return nil, "the recording ends before it"
  end
  return sound.samples:slice(first + 1, last)
end

---@class ym2612ml.RecordedNote
---@field entry ym2612ml.CartridgeEntry
---@field samples ym2612ml.Tensor  f32 (samples), from the first that the key-on can change to
---  the end of the release; a view of the recording
---@field time number  seconds from the start of the recording
---@field clicked boolean  whether its own click was heard; if not, others told where it is
---@field note number  MIDI, as the console played it
---@field held number  seconds, likewise
---@field release number

---@class ym2612ml.Split
---@field notes ym2612ml.RecordedNote[]
---@field missing {number: integer, name: string, reason: string}[]
---@field rate number  Hz of the samples
---@field region "NTSC"|"PAL"  of the console, by how fast it played
---@field drift number  by which the recorder's clock is fast, as a share, such as 2e-5
---@field clicks integer  heard

--- Cuts a recording of a cartridge into its notes. Clicks are found by what they say, so
--- the recording may begin late, end early, lack parts or be of a console of the other
--- region; its rate does not matter. A note is within a sample of its place whose own
--- click was heard or both next to it.
---@param sound {samples: ym2612ml.Tensor, rate: number}  as from `ym.audio.read`
---@param index ym2612ml.CartridgeIndex
---@return ym2612ml.Split? split
---@return string? message
---@return string? kind  "input": no click of this cartridge is in it
function M.split(sound, index)
  check.type(sound, "table", 1, "split")
  check.tensor(sound.samples, 1, "split", "field 'samples'")
  if type(sound.rate) ~= "number" or not (sound.rate >= M.SLOWEST and sound.rate <= M.FASTEST) then
    check.misuse(("bad argument #1 to 'split' (field 'rate' is %s, expected %d..%d)"):format(tostring(sound.rate),
      M.SLOWEST, M.FASTEST))
  end
  indices.check(index, 2, "split")
  local factors = clocks.factors(index)
  local tick = streams.TICK * 144 / indices.CLOCKS[index.region]
  local heard = listen.find(sound.samples, sound.rate, tick, { factors.NTSC, factors.PAL })
  local clicks, region, scale = clocks.place(heard, index)
  if #clicks == 0 then
    return nil, "no click of this cartridge is in the recording", "input"
  end
  local factor = factors[region]
  local split = {
    notes = {}, missing = {}, rate = sound.rate, region = region, drift = scale / factor - 1, clicks = #clicks,
  }
  local before, after = surroundings(clicks, #index.entries)
  for number, entry in ipairs(index.entries) do
    local own = before[number] ~= nil and before[number].number == number
    local time, samples, reason
    time, reason = locate(entry, before[number], after[number], scale)
    if time then
      samples, reason = cut(entry, sound, time, scale)
    end
    if samples then
      split.notes[#split.notes + 1] = {
        entry = entry, samples = samples, time = time, clicked = own, held = entry.held * factor,
        release = entry.release * factor, note = entry.note - 12 * math.log(factor, 2),
      }
    else
      split.missing[#split.missing + 1] = { number = number, name = entry.name, reason = reason }
    end
  end
  return split
end

return M
