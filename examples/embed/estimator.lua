-- Looks for the patches of sounds, a slice a call. What this returns is called with a path
-- when another sound is asked for; it returns whether there is more to do and, when there
-- is a better one, the bytes of a patch, and what to tell the user.
local ym = require "ym2612ml"

ym.threads(1) -- beside the audio thread there is one processor to spare

local BUDGET = 30 -- seconds for a sound, unless another is asked for
local APART = 0.25 -- seconds between two looks at what is best, which take some milliseconds

local name, steps -- of the sound at work; nil: none
local best, looked

local function begin(path)
  local sound, message = ym.audio.read(path)
  if sound then
    steps, message = ym.estimate_steps(sound, { budget = BUDGET })
  end
  name, best, looked = path:match("[^/]*$"), math.huge, ym.clock()
  return message
end

return function(path)
  if path then
    steps = nil
    local message = begin(path)
    return steps ~= nil, nil, message -- a sound that cannot be matched is the user's to know of
  end
  local step = steps and steps()
  if not step then
    steps = nil
    return false
  elseif ym.clock() - looked < APART then
    return true
  end
  looked = ym.clock()
  local match = step.matches[1]
  if match.distance >= best then
    return true
  end
  best = match.distance
  return true, ym.patch.encode(match.patch, "y12"),
    ("%s: %.2f dB, algorithm %d"):format(name, match.distance, match.algorithm)
end
