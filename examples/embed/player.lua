-- The song of the tracker, on the chip: bass and chords, and a lead whose patch the
-- estimator finds. What this returns is called with a count of frames, and with the bytes
-- of a patch when there is a new one; it returns the samples of these frames.
local ym = require "ym2612ml"

ym.threads(1) -- the other processors are the host's to give

local ROW = 6000 -- frames of the chip: 0.113 s
local PORT = { 0, 0, 0, 1, 1, 1 } -- of the channels
local LEAD = 6

local function operator(mul, tl, ar, dr, sr, sl, rr)
  return { mul = mul, dt = 0, tl = tl, rs = 0, ar = ar, dr = dr, sr = sr, rr = rr, sl = sl }
end

local BASS = {
  algorithm = 4, feedback = 5,
  operator(1, 28, 31, 10, 3, 4, 8), operator(1, 14, 31, 8, 4, 3, 9),
  operator(2, 34, 31, 12, 4, 5, 8), operator(1, 18, 31, 9, 4, 3, 9),
}
local CHORD = {
  algorithm = 5, feedback = 3,
  operator(1, 40, 22, 6, 1, 2, 6), operator(1, 28, 18, 5, 1, 2, 6),
  operator(2, 32, 18, 5, 1, 2, 6), operator(1, 28, 18, 5, 1, 2, 6),
}

-- Notes of a row by channel; 0 lets the key go.
local PATTERN = {
  { 33, 57, 60, 64, nil, 76 }, { 0 }, { 45 }, { nil, nil, nil, nil, nil, 0 },
  { 33, nil, nil, nil, nil, 72 }, { 45 }, { 0, nil, nil, nil, nil, 74 }, { 33, nil, nil, nil, nil, 0 },
  { 29, 57, 60, 65, nil, 76 }, { 0 }, { 41 }, { nil, nil, nil, nil, nil, 0 },
  { 31, 55, 59, 62, nil, 74 }, { 43 }, { 0, nil, nil, nil, nil, 71 }, { 31, nil, nil, nil, nil, 0 },
}

local chip = ym.chip.new()
local now, row = 0, 0 -- frames played; rows begun
local lead = CHORD -- the patch that channel 6 has from the next row on, or nil: as it is

local function set_up(patch, channel)
  for _, write in ipairs(ym.patch.registers(patch, channel)) do
    chip:write(table.unpack(write))
  end
end

local function key(writes, frame, channel, note)
  local port, offset = PORT[channel], (channel - 1) % 3
  writes[#writes + 1] = { frame, 0, 0x28, port << 2 | offset }
  if note > 0 then
    local block, fnum = ym.pitch_of(note)
    writes[#writes + 1] = { frame, port, 0xA4 + offset, block << 3 | fnum >> 8 }
    writes[#writes + 1] = { frame, port, 0xA0 + offset, fnum & 255 }
    writes[#writes + 1] = { frame, 0, 0x28, 0xF0 | port << 2 | offset }
  end
end

-- The writes of the rows that begin within so many frames.
local function rows_of(frames)
  local writes = {}
  while row * ROW < now + frames do
    local frame = row * ROW - now
    if lead then
      for _, write in ipairs(ym.patch.registers(lead, LEAD)) do
        writes[#writes + 1] = { frame, table.unpack(write) }
      end
      lead = nil
    end
    for channel, note in pairs(PATTERN[row % #PATTERN + 1]) do
      key(writes, frame, channel, note)
    end
    row = row + 1
  end
  return writes
end

set_up(BASS, 1)
for channel = 2, 4 do
  set_up(CHORD, channel)
end

return function(frames, bytes)
  lead = bytes and assert(ym.patch.decode(bytes, "y12")) or lead
  local writes = rows_of(frames)
  local list = writes[1] and ym.tensor.from(writes, "i32") or ym.tensor.new({ 0, 4 }, "i32")
  local samples = chip:play(list, frames)
  now = now + #samples
  return samples:bytes()
end
