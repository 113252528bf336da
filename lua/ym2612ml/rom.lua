-- Patches on a cartridge for the Mega Drive, and recordings of it cut into notes again.
local build = require "ym2612ml.rom.build"
local indices = require "ym2612ml.rom.index"
local set = require "ym2612ml.rom.set"
local split = require "ym2612ml.rom.split"

return {
  build = build.build,
  encode_index = indices.encode,
  decode_index = indices.decode,
  read_index = indices.read,
  split = split.split,
  write_set = set.write,
}
