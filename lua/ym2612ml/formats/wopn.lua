-- WOPN: banks of 128 instruments of OPN2BankEditor and libOPNMIDI, melodic and
-- percussion, versions 1 and 2, with one speed of the LFO for all.
local carry = require "ym2612ml.formats.carry"
local cursor = require "ym2612ml.formats.cursor"
local entry = require "ym2612ml.formats.entry"
local speeds = require "ym2612ml.formats.speeds"

local NAME = "wopn"
local MAGIC = { "WOPN2-BANK\0", "WOPN2-B2NK\0" }
local BANK = 128 -- instruments
local ABOUT = 34 -- bytes about a bank: a name of 32, LSB and MSB of its number
local MOST_BANKS = 0xFFFF
local KINDS = { "melodic", "percussion" } -- of banks, in their order in the file

local M = {
  name = NAME, extensions = { "wopn" }, title = "OPN2BankEditor bank", lfo = true, many = true,
  versions = { 1, 2 }, most = BANK * MOST_BANKS,
}

--- How sure it is that bytes are of this format.
---@param bytes string
---@return integer certainty
function M.detect(bytes)
  local magic = bytes:sub(1, #MAGIC[1])
  return (magic == MAGIC[1] or magic == MAGIC[2]) and 3 or 0
end

local function size_of_entry(version)
  return version == 2 and entry.SIZE + entry.DELAYS or entry.SIZE
end

-- What stands before the instruments.
local function read_head(file)
  local version = file:take(#MAGIC[1], "magic number") == MAGIC[2] and 2 or 1
  if M.detect(file.bytes) == 0 then
    cursor.malformed("does not begin as a WOPN does")
  end
  local head = { format = NAME, version = version }
  head.code = version == 2 and file:number("<I2", "version") or 1
  for _, kind in ipairs(KINDS) do
    head[kind] = { banks = file:number(">I2", "number of banks"), blanks = {} }
  end
  head.flags = file:number("B", "flags")
  local banks = head.melodic.banks + head.percussion.banks
  file:need(banks * (BANK * size_of_entry(version) + (version == 2 and ABOUT or 0)), ("%d banks"):format(banks))
  for _, kind in ipairs(KINDS) do
    head[kind].about = version == 2 and file:take(ABOUT * head[kind].banks, "banks") or ""
  end
  return head
end

-- Adds the patches of the melodic or the percussion banks.
local function read_banks(file, head, kind, list, notes)
  for slot = 0, BANK * head[kind].banks - 1 do
    local offset = file.at - 1
    local found = file:take(size_of_entry(head.version), "instrument")
    if not entry.is_blank(found) then
      local patch, clean = entry.decode(found, offset, notes)
      patch.lfo = speeds.of(head.flags)
      patch.carried = { format = NAME, version = head.version, entry = clean, kind = kind, slot = slot }
      list[#list + 1] = patch
    elseif found:find("[^\0]") then
      head[kind].blanks[slot] = found
    end
  end
end

--- The patches in a file; slots without an instrument are passed over.
---@param bytes string
---@return ym2612ml.Patch[]?
---@return string[]|string  notes, or what is wrong
M.decode = cursor.guarded(function(bytes)
  local file, notes, list = cursor.new(bytes), {}, {}
  local head = read_head(file)
  for _, kind in ipairs(KINDS) do
    read_banks(file, head, kind, list, notes)
  end
  if file:left() > 0 then
    notes[#notes + 1] = ("%d byte(s) after the banks are ignored"):format(file:left())
  end
  list.carried = head
  return list, notes
end)

-- The patches of the melodic or the percussion banks, by slot, as indices in the list; and
-- how many banks there are: those of the file they came from, or else one, since other
-- programs refuse a file without any of either kind; and further ones where it takes them.
-- A patch stays in its slot; one that has none, or whose slot is taken, gets the next that
-- is free.
local function slots_of(list, head, kind)
  local banks = head[kind] and head[kind].banks or 1
  local slots, homeless, free = {}, {}, 0
  for i, patch in ipairs(list) do
    local carried = carry.of(patch, NAME)
    if (carried.kind or "melodic") == kind then
      local slot = carried.slot
      if slot and slot < BANK * banks and not slots[slot] then
        slots[slot] = i
      else
        homeless[#homeless + 1] = i
      end
    end
  end
  for _, i in ipairs(homeless) do
    while slots[free] do
      free = free + 1
    end
    slots[free] = i
    banks = math.max(banks, free // BANK + 1)
  end
  return slots, banks
end

--- The order of the patches in a file that is written. One whose registers are all 0 makes
--- no instrument, and is missing.
---@param list ym2612ml.Patch[]
---@return integer[] indices
function M.order(list)
  local order, head = {}, carry.of(list, NAME)
  for _, kind in ipairs(KINDS) do
    local slots, banks = slots_of(list, head, kind)
    for slot = 0, BANK * banks - 1 do
      local patch = list[slots[slot]]
      if patch and not entry.is_blank(entry.encode(patch, nil, entry.SIZE)) then
        order[#order + 1] = slots[slot]
      end
    end
  end
  return order
end

-- What is known of each bank: its name and number, of a new one its number only.
local function about_banks(known, banks)
  local parts = { known or "" }
  for number = #parts[1] // ABOUT, banks - 1 do
    parts[#parts + 1] = ("\0"):rep(ABOUT - 2) .. string.char(number & 127, number >> 7 & 127)
  end
  return table.concat(parts)
end

--- A file of patches. Each goes where it came from, when that was a WOPN; the others fill
--- the slots that are free.
---@param list ym2612ml.Patch[]
---@param options {version?: integer}  default: that of the file they were read from, or 2
---@return string
function M.encode(list, options)
  local head = carry.of(list, NAME)
  local version = options.version or head.version or carry.of(list[1], NAME).version or 2
  local size = size_of_entry(version)
  local flags = string.char(speeds.flags(list, head.flags or 0))
  local counts, about, entries = {}, {}, {}
  for _, kind in ipairs(KINDS) do
    local slots, banks = slots_of(list, head, kind)
    local blanks = head.version == version and head[kind].blanks or {}
    counts[#counts + 1] = string.pack(">I2", banks)
    about[#about + 1] = version == 2 and about_banks(head[kind] and head[kind].about, banks) or ""
    for slot = 0, BANK * banks - 1 do
      local patch = list[slots[slot]]
      entries[#entries + 1] = patch and entry.encode(patch, carry.of(patch, NAME).entry, size) or blanks[slot]
        or ("\0"):rep(size)
    end
  end
  local code = version == 2 and string.pack("<I2", head.version == 2 and head.code or 2) or ""
  return MAGIC[version] .. code .. table.concat(counts) .. flags .. table.concat(about) .. table.concat(entries)
end

return M
