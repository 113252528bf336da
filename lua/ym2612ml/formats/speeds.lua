-- The speed of the LFO where a bank has one for all its patches, in a byte as in the
-- chip's register 0x22.
local M = {}

local ON, SPEED = 8, 7 -- bits

--- The speed that a byte tells.
---@param flags integer
---@return integer?  nil: off
function M.of(flags)
  return flags & ON ~= 0 and flags & SPEED or nil
end

-- The speed that most have of those patches that a test passes, the first of several.
local function most_common(list, test)
  local counts, best = {}, nil
  for _, patch in ipairs(list) do
    local speed = patch.lfo or -1
    if test(patch) then
      counts[speed] = (counts[speed] or 0) + 1
      best = (not best or counts[speed] > counts[best]) and speed or best
    end
  end
  return best
end

--- The byte for patches: the speed of most of those that have a depth, or else of all.
---@param list ym2612ml.Patch[]
---@param flags integer  kept where it tells this speed, and its other bits in any case
---@return integer
function M.flags(list, flags)
  local speed = most_common(list, function(patch)
    return (patch.ams or 0) > 0 or (patch.fms or 0) > 0
  end) or most_common(list, function()
    return true
  end) or -1
  if (M.of(flags) or -1) == speed then
    return flags
  end
  flags = flags & ~(ON | SPEED)
  return speed >= 0 and flags | ON | speed or flags
end

return M
