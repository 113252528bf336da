-- The synthesizer of the Keras implementation of InverSynth (CandyDong/15622-term-project
-- on GitHub): one sine whose frequency another sine modulates, and an envelope.
local core = require "ym2612ml.core"

local M = {}

local carriers = {}
for semitone = 0, 15 do
  carriers[semitone + 1] = 440 * 2 ^ (semitone / 12)
end

local function seconds(name)
  return { name = name, kind = "continuous", least = 0, most = 1, unit = "s" }
end

--- Its definition. The frequency is carrier * (1 + depth * sin(2 pi modulator t)), as that
--- implementation's library has it: the modulator is in Hz, and no ratio of the carrier.
--- Attack, decay, sustain and release follow each other as straight lines, whatever their
--- sum: what is beyond the end of the sound is not heard.
---@return table definition
function M.definition()
  return {
    name = "simple_fm", title = "two-operator FM",
    source = "CandyDong/15622-term-project, synth_generator", rate = 16384, length = 1,
    parameters = {
      { name = "carrier", kind = "class", values = carriers, unit = "Hz" },
      { name = "modulator", kind = "continuous", least = 1, most = 30, unit = "Hz" },
      { name = "amplitude", kind = "continuous", least = 0.001, most = 1 },
      { name = "depth", kind = "continuous", least = 0, most = 1.5 },
      seconds "attack",
      seconds "decay",
      seconds "sustain",
      { name = "sustain_level", kind = "continuous", least = 0, most = 1 },
      seconds "release",
    },
    render_batch = function(values, rate, length)
      return core.synths.simple_fm(values, rate, math.floor(rate * length))
    end,
  }
end

return M
