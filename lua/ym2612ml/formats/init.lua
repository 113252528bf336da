-- The patch formats: one entry each, from which reading, writing, help and documents
-- are made. An entry has
--   name        as given to ym.patch.read and friends
--   extension   of its files, lower case, no dot
--   title       for help texts
--   lfo         whether its files hold the settings of the LFO
--   decode(bytes)  -> patch, note? or nil, message: what is wrong, without the path
--   encode(patch)  -> bytes
return {
  (require "ym2612ml.formats.y12"),
}
