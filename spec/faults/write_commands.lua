-- The commands whose writes are made to fail: small ones of each kind of output. @ is the
-- folder of the work, @/out what is watched.
local RUN = "lua5.4 lua/ym2612ml/cli.lua "
local PATCHES = RUN .. "generate --count 3 --seed 1 -o @/patches"
local OTHERS = RUN .. "generate --count 3 --seed 2 -o @/patches"
local EIGHT = RUN .. "generate --count 8 --seed 1 -o @/patches"
local FOLDER = "mkdir @/out"
local TONE = "mkdir -p @/in; " .. RUN .. "render -o @/in/%s.wav --held 0.2 --release 0.05 --note C4 "
  .. "@/patches/generated_001.y12"
local MATCH = RUN .. "match @/in --renders 40 --lock algorithm=4 --note C4 --held 0.1 --release 0.05 -o @/out "
local DATASET = RUN .. "dataset --count 12 --validation 4 --shard-records 6 --held 0.1 --release 0.05 -o @/out "
local SOUNDS = "dataset --synth simple_fm --rate 4000 --length 0.1 --count 24 --validation 8 --test 8 "
local TRAINING = "lua5.4 spec/faults/training.lua "
local LEARNER = RUN .. "train --model conv1 --data @/data -o @/out --epochs 2 --batch 8 "
local EXPERIMENT = RUN .. "experiment --patches @/patches --copies 4 --epochs 2 --batch 4 --width 8 --heads 2 "
  .. "--encoder 1 --decoder 1 --latents 2 --flows 1 --validation 0.3 -o @/out/space.safetensors "

-- Makes the file that @/out/NAME was of other patches.
local function of_others(command)
  return { "rm -rf @/kept; mv @/patches @/kept", OTHERS, FOLDER, command, "rm -rf @/patches; mv @/kept @/patches" }
end

-- A command that makes one file of patches.
local function of_patches(name, command)
  return { name = name, command = RUN .. command, set_up = { PATCHES }, empty = { FOLDER },
    old = of_others(RUN .. command) }
end

return {
  {
    name = "convert", command = RUN .. "convert @/patches --to tfi -o @/out", set_up = { PATCHES },
    old = of_others(RUN .. "convert @/patches --to tfi -o @/out"),
  },
  {
    name = "match", command = MATCH .. "--report @/out/report.html", set_up = { PATCHES, TONE:format "tone" },
    old = { MATCH .. "--seed 7 --report @/out/report.html" },
  },
  {
    name = "match --format", command = MATCH .. "--format y12,tfi,dmp",
    set_up = { PATCHES, TONE:format "tone", TONE:format "other" },
    old = { MATCH .. "--seed 7 --format y12,tfi,dmp" },
  },
  { name = "dataset", command = DATASET, old = { DATASET .. "--shard 1/2" } },
  {
    name = "dataset --synth", command = RUN .. SOUNDS .. "-o @/out --wav @/out/wav",
    old = { RUN .. SOUNDS .. "-o @/out --shard 1/2" },
  },
  {
    name = "train", command = TRAINING .. "@/out 1",
    set_up = { TRAINING .. "@/done 1", TRAINING .. "@/others 2" },
    -- stopped before two networks, where others of the same name lie
    old = {
      "cp -a @/done @/out; cp @/others/algorithm.safetensors @/others/registers_0.safetensors @/out; "
        .. "rm @/out/.work/algorithm.safetensors.done @/out/.work/registers_0.safetensors.done",
    },
  },
  {
    name = "train --model", command = LEARNER, set_up = { RUN .. SOUNDS .. "-o @/data" }, timed = { "/model.json" },
    old = { LEARNER },
  },
  {
    name = "experiment", command = EXPERIMENT, set_up = { EIGHT },
    empty = { FOLDER }, old = { EXPERIMENT .. "--seed 2" },
  },
  {
    name = "experiment --trials", command = EXPERIMENT .. "--trials 2",
    set_up = { EIGHT }, empty = { FOLDER }, old = { EXPERIMENT .. "--seed 2" },
  },
  {
    name = "evaluate", command = RUN .. "evaluate --model @/model --data @/data --csv @/out/figures.csv "
      .. "--sounds @/out/sounds.csv --json @/out/card.json --wav @/out/wav --examples 1",
    set_up = { RUN .. SOUNDS .. "-o @/data", (LEARNER:gsub("@/out", "@/model")) }, empty = { FOLDER },
    old = {
      FOLDER, RUN .. "evaluate --model @/model --data @/data --csv @/out/figures.csv --sounds @/out/sounds.csv "
        .. "--json @/out/card.json --wav @/out/wav --examples 1 --split valid",
    },
  },
  {
    name = "generate", command = RUN .. "generate --count 2 --seed 1 -o @/out",
    old = { RUN .. "generate --count 2 --seed 2 -o @/out" },
  },
  of_patches("bank", "bank build -o @/out/bank.wopn @/patches"),
  of_patches("render", "render -o @/out/sound.wav --held 0.1 --release 0.05 @/patches/generated_001.y12"),
  of_patches("vgm", "vgm -o @/out/song.vgz @/patches"),
  of_patches("rom", "rom -o @/out/patches.bin @/patches"),
  of_patches("report", "report -o @/out/report.html @/patches --held 0.1 --release 0.05"),
}
