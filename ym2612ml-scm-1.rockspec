rockspec_format = "3.0"
package = "ym2612ml"
version = "scm-1"
source = {
  url = "git+https://github.com/ym2612ml/ym2612ml.git",
}
description = {
  summary = "YM2612 patches from recorded sounds, on a bit-exact chip",
  detailed = [[
Listens to a recording of an instrument and writes patches for the Mega Drive's
YM2612 sound chip that sound like it. With a bit-exact model of the chip, the
features and networks behind the estimate, and a command, ym2612ml.]],
  license = "MIT",
  labels = { "audio", "synthesizer", "machine-learning" },
}
dependencies = {
  "lua ~> 5.4",
  "argparse >= 0.7",
  "lua-cjson >= 2.1",
  "luafilesystem >= 1.8",
}
external_dependencies = {
  SNDFILE = { header = "sndfile.h" },
  SAMPLERATE = { header = "samplerate.h" },
  FFTW3F = { header = "fftw3.h", library = "fftw3f" },
  ZLIB = { header = "zlib.h" },
  -- By its library alone: where its headers are differs, and pkg-config tells the Makefile.
  OPENBLAS = { library = "openblas" },
}
build = {
  type = "make",
  build_variables = {
    CFLAGS = "$(CFLAGS)",
    LUA_INCDIR = "$(LUA_INCDIR)",
  },
  install_variables = {
    CFLAGS = "$(CFLAGS)",
    LUA_INCDIR = "$(LUA_INCDIR)",
    LUADIR = "$(LUADIR)",
    LIBDIR = "$(LIBDIR)",
    BINDIR = "$(BINDIR)",
  },
}
test = {
  type = "command",
  command = "make test",
}
