-- A synthesizer of one's own, in thirty lines: parameters, and what they sound like. What
-- works with the module's synthesizers works with it, the command too, given this file.
local ym = require "ym2612ml"

local definition = {
  name = "bell", title = "two decaying sines", rate = 16384, length = 0.5,
  parameters = {
    { name = "pitch", kind = "integer", least = 60, most = 84, unit = "MIDI" },
    { name = "ratio", kind = "class", values = { 1.5, 2, 2.76, 3.5, 5.4 } },
    { name = "decay", kind = "continuous", least = 0.02, most = 0.5, scale = "log", unit = "s" },
    { name = "balance", kind = "continuous", least = 0, most = 1, classes = 8 },
    { name = "octave", kind = "switch" },
  },
  -- values by name; a list or a tensor of floor(rate * length) samples
  render = function(values, rate, length)
    local samples = {}
    local f0 = 2 * math.pi * 440 * 2 ^ ((values.pitch - 69) / 12 + values.octave)
    for i = 1, math.floor(rate * length) do
      local t = (i - 1) / rate
      samples[i] = 0.5 * math.exp(-t / values.decay)
        * ((1 - values.balance) * math.sin(f0 * t) + values.balance * math.sin(f0 * values.ratio * t))
    end
    return samples
  end,
}
if ... then
  return definition -- to ym.synths.get, which gives the path of this file
end

local bell = ym.synths.new(definition, { fixed = { octave = 0 } })
print(bell)

local values = bell:draw(4, { seed = 1 })
local sounds = assert(bell:render(values))
for row = 1, #values do
  local named, found = bell:table(values[row]), assert(ym.pitch(sounds[row], { rate = bell.rate }))
  print(("pitch %d, ratio %.2f, decay %.3f s, balance %.2f: heard at %.1f Hz"):format(named.pitch, named.ratio,
    named.decay, named.balance, found))
end

-- Which parameters can be learnt from the sounds at all?
local observable = assert(bell:observable { count = 4 })
for _, parameter in ipairs(bell.parameters) do
  print(("%-8s %-10s %2d classes, %s"):format(parameter.name, parameter.kind, parameter.classes,
    parameter.fixed and "fixed" or observable[parameter.name] and "heard" or "not heard"))
end
