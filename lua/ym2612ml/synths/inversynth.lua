-- The synthesizer of InverSynth (Barkan, Tsiris, Katz and Koenigstein, "InverSynth: Deep
-- Estimation of Synthesizer Parameter Configurations from Audio Signals", 2019, section
-- 3.1): four modulated oscillators, an envelope, a resonant low-pass and a gate.
local core = require "ym2612ml.core"

local M = {}

local WAVES = { "sine", "saw", "triangle", "square" }

local function new_parameters()
  local list = {}
  local function add(name, least, most, unit)
    list[#list + 1] = { name = name, kind = "continuous", least = least, most = most, unit = unit }
  end
  local carriers = {}
  for semitone = 0, 15 do
    carriers[semitone + 1] = 440 * 2 ^ (semitone / 12)
  end
  for _, wave in ipairs(WAVES) do
    list[#list + 1] = { name = wave .. "_carrier", kind = "class", values = carriers, unit = "Hz" }
    add(wave .. "_modulator", 1, 30, "Hz")
    add(wave .. "_amplitude", 0.001, 1)
    add(wave .. "_depth", 0, 1500, "Hz")
  end
  add("attack", 0.001, 1, "s")
  add("decay", 0.001, 1, "s")
  add("sustain", 0.001, 1)
  add("release", 0.001, 1, "s")
  add("cutoff", 200, 4000, "Hz")
  add("resonance", 0.01, 10)
  add("gate", 0.5, 30, "Hz")
  return list
end

--- Its definition: gate(filter(envelope(sum of amplitude * wave(2 pi carrier t +
--- depth / modulator * sin(2 pi modulator t))))).
---
--- Where the paper leaves something open: depth is the deviation of the frequency in Hz
--- (as an index in radians, up to 1500, all but its lowest class would sweep far beyond
--- half the rate); waves are plain, not band-limited, and begin at phase 0; their sum is
--- divided by four, so that it stays within 1; the envelope is of straight lines, held for
--- 0.7 of the sound's length and then released from wherever it is; the filter is
--- Bristow-Johnson's low-pass of second order with q = resonance, its cut-off at most 0.49
--- of the rate.
---@return table definition
function M.definition()
  return {
    name = "inversynth", title = "InverSynth's synthesizer", source = "arXiv 1812.06349, section 3.1",
    rate = 16384, length = 1, parameters = new_parameters(),
    render_batch = function(values, rate, length)
      return core.synths.inversynth(values, rate, math.floor(rate * length))
    end,
  }
end

return M
