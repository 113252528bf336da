-- Patches out of VGM files: the registers of a channel whenever a key goes down, without
-- the volume that the game's driver added, each patch once.
local core = require "ym2612ml.core"
local decoders = require "ym2612ml.vgm.decoder"
local files = require "ym2612ml.vgm.file"
local patches = require "ym2612ml.patch"

local M = {}

local KEY, LFO, DAC_ENABLE = 0x28, 0x22, 0x2B
local DAC_CHANNEL = 5 -- from 0
local SLOTS = { 0, 8, 4, 12 } -- added to a register of operator 1 for operators 1 to 4
local SILENT = 127 -- total level
local MOST_NOTES, MOST_STATES = 1 << 20, 1 << 16 -- of all files; music has far less
local MOST_LOUDER = 256 -- patches that a quieter one is compared with

local FIELDS = patches.fields()

local Miner = {}
Miner.__index = Miner

---@class ym2612ml.VgmNote
---@field path string
---@field time number      seconds from the beginning of the file
---@field channel integer  1..6
---@field note? number     MIDI, to a hundredth; nil: the pitch is none
---@field quieter integer  steps of 0.75 dB below the patch

---@class ym2612ml.VgmPatch
---@field patch ym2612ml.Patch      as it was played loudest
---@field heard ym2612ml.VgmNote[]  in order of time, file by file

--- Makes a miner that has seen no file.
---@return table miner
function M.new()
  return setmetatable({ states = {}, order = {}, count = 0 }, Miner)
end

-- The register that holds a field, of channel 1.
local function address_of(field)
  return field.register + (field.operator and SLOTS[field.operator] or 0)
end

-- The registers of a channel that are a patch's, in the order in which a state has them,
-- and their places there.
local ADDRESSES, PLACES = {}, {}
for _, field in ipairs(FIELDS) do
  local address = address_of(field)
  if field.name ~= "lfo" and not PLACES[address] then
    ADDRESSES[#ADDRESSES + 1] = address
    PLACES[address] = #ADDRESSES
  end
end

local PAN = 0xC0 -- bits of 0xB4 that are no patch's

-- What channel 0..5 is set to, as a string: the keys that are down, the LFO, registers.
local function state_of(registers, channel, keys)
  local bank, offset = registers[channel // 3], channel % 3
  local bytes = { keys, registers[0][LFO] & 15 }
  for i, address in ipairs(ADDRESSES) do
    bytes[i + 2] = bank[address + offset]
  end
  local place = PLACES[0xB4] + 2
  bytes[place] = bytes[place] & ~PAN
  return string.char(table.unpack(bytes))
end

local function detune(bits)
  return bits & 4 == 0 and bits or -(bits & 3)
end

-- The patch of a state; operators whose key is not down do not sound.
local function patch_of(state)
  local keys, lfo = state:byte(1, 2)
  local patch = { {}, {}, {}, {} }
  for _, field in ipairs(FIELDS) do
    local operator = field.operator
    if field.name == "lfo" then
      patch.lfo = lfo & 8 ~= 0 and lfo & 7 or nil
    else
      local byte = state:byte(2 + PLACES[address_of(field)])
      local bits = byte >> field.shift & (1 << field.width) - 1
      local to = operator and patch[operator] or patch
      to[field.name] = field.name == "dt" and detune(bits) or bits
    end
  end
  for operator = 1, 4 do
    if keys >> operator - 1 & 1 == 0 then
      patch[operator].tl = SILENT
    end
  end
  return patch
end

-- The MIDI note of a channel's pitch, 14 bits of block and number.
local function note_of(pitch, clock)
  local hertz = (pitch & 0x7FF) * 2 ^ (pitch >> 11) / 2 ^ 21 * clock / 144
  if hertz == 0 then
    return nil
  end
  return math.floor(100 * (69 + 12 * math.log(hertz / 440, 2)) + 0.5) / 100
end

-- Writes down that a state was heard; false when there is no room.
local function add_note(self, state, note)
  local found = self.states[state]
  if self.count == MOST_NOTES or not found and #self.order == MOST_STATES then
    return false
  end
  if not found then
    found = { state = state, heard = {} }
    self.states[state] = found
    self.order[#self.order + 1] = found
  end
  self.count = self.count + 1
  found.heard[#found.heard + 1] = note
  note.place = self.count
  return true
end

--- Goes through a file.
---@param source ym2612ml.VgmFile
---@param path string
---@return string[] notes  what was passed over, or is wrong with the file
function Miner:add(source, path)
  local registers = { [0] = {}, {} }
  for address = 0, 255 do
    registers[0][address], registers[1][address] = 0, 0
  end
  local keys, pitches, latch = {}, {}, 0
  for channel = 0, 5 do
    keys[channel], pitches[channel] = 0, 0
  end
  local clock = source.header.clock or files.CLOCK
  local decoder = decoders.new(source)

  local function press(tick, value)
    local channel = value & 3
    if channel == 3 then
      return
    end
    channel = channel + 3 * (value >> 2 & 1)
    local down, before = value >> 4, keys[channel]
    keys[channel] = down
    local sampled = channel == DAC_CHANNEL and registers[0][DAC_ENABLE] & 0x80 ~= 0
    if down & ~before ~= 0 and not sampled and not add_note(self, state_of(registers, channel, down), {
      path = path, time = decoders.seconds(tick), channel = channel + 1,
      note = note_of(pitches[channel], clock), quieter = 0,
    }) then
      decoder:stop("more notes than are searched for patches")
    end
  end

  decoder:run(math.huge, function(tick, port, register, value)
    registers[port][register] = value
    if register == KEY and port == 0 then
      press(tick, value)
    elseif register >= 0xA0 and register <= 0xA2 then
      pitches[register - 0xA0 + 3 * port] = latch << 8 | value
    elseif register >= 0xA4 and register <= 0xA6 then
      latch = value & 0x3F
    end
  end)
  return decoder.notes
end

-- The canonical form as bytes, which are equal where two patches sound the same.
local function identity(patch)
  return core.patch.pack({ core.patch.canonical(patch) }):bytes()
end

local function copy(patch)
  local twin = {}
  for key, value in pairs(patch) do
    twin[key] = type(value) == "table" and copy(value) or value
  end
  return twin
end

-- What two patches have in common that differ in the levels of their carriers only. With
-- all of them at their loudest, the canonical form keeps the order of the operators.
local function shape(patch)
  local loudest = copy(patch)
  for _, operator in ipairs(core.patch.carriers(patch.algorithm)) do
    loudest[operator].tl = 0
  end
  return identity(loudest)
end

-- Total levels of the carriers, and their sum.
local function levels(patch)
  local list, sum = {}, 0
  for i, operator in ipairs(core.patch.carriers(patch.algorithm)) do
    list[i] = patch[operator].tl
    sum = sum + list[i]
  end
  return list, sum
end

-- How much quieter `levels` are than `louder`: one offset for all carriers, which stop at
-- 127; nil when there is none.
local function offset_of(louder, quieter)
  local offset
  for i, level in ipairs(quieter) do
    if level < SILENT then
      offset = offset or level - louder[i]
      if offset < 0 or level ~= louder[i] + offset then
        return nil
      end
    end
  end
  for i, level in ipairs(quieter) do
    if level == SILENT and offset and louder[i] + offset < SILENT then
      return nil
    end
  end
  return offset
end

local function audible(patch)
  local canonical = core.patch.canonical(patch)
  return patches.carrier_level(canonical) < SILENT
end

-- Adds what was heard of one patch to another, so much quieter.
local function merge(into, from, quieter)
  for _, note in ipairs(from.heard) do
    note.quieter = note.quieter + quieter
    into.heard[#into.heard + 1] = note
  end
end

-- Of patches of one shape, those that no louder one explains.
local function without_volume(group)
  for _, entry in ipairs(group) do
    entry.levels, entry.sum = levels(entry.patch)
  end
  table.sort(group, function(a, b)
    if a.sum ~= b.sum then
      return a.sum < b.sum
    end
    return a.heard[1].place < b.heard[1].place
  end)
  local kept = {}
  for _, entry in ipairs(group) do
    local explained
    for i = 1, math.min(#kept, MOST_LOUDER) do
      local offset = offset_of(kept[i].levels, entry.levels)
      if offset then
        merge(kept[i], entry, offset)
        explained = true
        break
      end
    end
    if not explained then
      kept[#kept + 1] = entry
    end
  end
  return kept
end

-- Lists of entries that have something in common, in order of appearance.
local function grouped(entries, key)
  local groups, by_key = {}, {}
  for _, entry in ipairs(entries) do
    local common = key(entry.patch)
    if not by_key[common] then
      by_key[common] = {}
      groups[#groups + 1] = by_key[common]
    end
    table.insert(by_key[common], entry)
  end
  return groups
end

--- The patches of all files so far, in the order in which they are first heard. The miner
--- is of no use after this.
---@param keep_levels? boolean  whether patches that differ only in how loud they are
---  played stay apart
---@return ym2612ml.VgmPatch[] found
function Miner:finish(keep_levels)
  local entries = {}
  for _, entry in ipairs(self.order) do
    entry.patch = patch_of(entry.state)
    if audible(entry.patch) then
      entries[#entries + 1] = entry
    end
  end
  if not keep_levels then
    local loudest = {}
    for _, group in ipairs(grouped(entries, shape)) do
      for _, entry in ipairs(without_volume(group)) do
        loudest[#loudest + 1] = entry
      end
    end
    entries = loudest
  end
  local found = {}
  for i, group in ipairs(grouped(entries, identity)) do
    found[i] = { patch = group[1].patch, heard = group[1].heard }
    for other = 2, #group do
      merge(found[i], group[other], 0)
    end
    table.sort(found[i].heard, function(a, b)
      return a.place < b.place
    end)
  end
  table.sort(found, function(a, b)
    return a.heard[1].place < b.heard[1].place
  end)
  for _, entry in ipairs(found) do
    for _, note in ipairs(entry.heard) do
      note.place = nil
    end
  end
  return found
end

return M
