-- The click before a patch: which levels the DAC gets, and which click it is. It names
-- the patch by number, so that a recording may begin late or lack a part.
--
-- 37 bits of two ticks each: 13 to find it by, whose pattern (Barker's) looks least like
-- itself when shifted, 16 of the number, 8 to check it. A 1 is high then low, a 0 low then
-- high: so there is no offset in it, next to nothing of it is below 200 Hz, where mains hum
-- is, and most is around 1 kHz, which even the dull output of a Mega Drive lets pass.
local M = {}

--- The bits to find a click by.
M.SYNC = { 1, 1, 1, 1, 1, 0, 0, 1, 1, 0, 1, 0, 1 }

local NUMBER_BITS, CHECK_BITS = 16, 8
local POLYNOMIAL = 0x07 -- of CRC-8: x^8 + x^2 + x + 1

--- Bits of a click.
M.BITS = #M.SYNC + NUMBER_BITS + CHECK_BITS

--- The largest number.
M.MOST = (1 << NUMBER_BITS) - 1

-- The cyclic redundancy check of a number.
local function checksum(number)
  local remainder = number
  for _ = 1, NUMBER_BITS do
    remainder = remainder << 1
    if remainder >> NUMBER_BITS & 1 == 1 then
      remainder = remainder ~ POLYNOMIAL << CHECK_BITS
    end
  end
  return remainder >> CHECK_BITS & 0xFF
end

--- The bits of the click of a number.
---@param number integer  1..65535
---@return integer[] bits  37 of 0 and 1
function M.bits(number)
  local bits = { table.unpack(M.SYNC) }
  local word = number << CHECK_BITS | checksum(number)
  for shift = NUMBER_BITS + CHECK_BITS - 1, 0, -1 do
    bits[#bits + 1] = word >> shift & 1
  end
  return bits
end

--- The levels of the click of a number, one a tick: 1 high, 0 low.
---@param number integer  1..65535
---@return integer[] levels  74
function M.levels(number)
  local levels = {}
  for i, bit in ipairs(M.bits(number)) do
    levels[2 * i - 1], levels[2 * i] = bit, 1 - bit
  end
  return levels
end

--- The number of the click that has these bits.
---@param bits integer[]  37 of 0 and 1
---@return integer? number  1..65535; nil when the bits do not fit together
function M.number(bits)
  local word = 0
  for i = #M.SYNC + 1, M.BITS do
    word = word << 1 | bits[i]
  end
  local number = word >> CHECK_BITS
  return number > 0 and checksum(number) == word & 0xFF and number or nil
end

return M
