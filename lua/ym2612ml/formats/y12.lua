-- Y12: one patch with its names, 128 bytes, no LFO settings (Gens KMod, DefleMask,
-- Furnace).
local core = require "ym2612ml.core"

return {
  name = "y12",
  extension = "y12",
  title = "Gens KMod instrument",
  lfo = false,
  decode = core.patch.decode_y12,
  encode = core.patch.encode_y12,
}
