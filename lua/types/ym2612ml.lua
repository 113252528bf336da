---@meta ym2612ml

-- For editors: what `require "ym2612ml"` returns. The parts written in C are annotated
-- here; those in Lua stand beside their code, where editors find them through `require`.
-- Functions raise an error at the caller's line when an argument is wrong, and return
-- nil, message, kind for what the world does wrong; kind is one of ym2612ml.Kind.

---@alias ym2612ml.Kind "io"|"format"|"input"|"diverged"|"cancelled"
---@alias ym2612ml.Chip "ym2612"|"ym3438"|"clean"
---@alias ym2612ml.Type "f32"|"f16"|"u8"|"i16"|"i32"
---@alias ym2612ml.Scale "power"|"db"|"magnitude"
---@alias ym2612ml.Window "hann"|"hamming"|"blackman"|"tukey"|"rectangular"

---@class ym2612ml
local ym = {}

ym.dataset = require "ym2612ml.dataset"
ym.dx7 = require "ym2612ml.dx7"
ym.estimate = require("ym2612ml.estimate").estimate
ym.estimate_each = require("ym2612ml.estimate").estimate_each
ym.estimate_steps = require("ym2612ml.estimate").steps
ym.evaluate = require "ym2612ml.evaluate"
ym.learner = require "ym2612ml.learner"
ym.metrics = require "ym2612ml.metrics"
ym.models = require "ym2612ml.models"
ym.neighbours = require "ym2612ml.neighbours"
ym.nn = require "ym2612ml.nn"
ym.patch = require "ym2612ml.patch"
ym.pca = require "ym2612ml.pca"
ym.prepare = require("ym2612ml.prepare").one
ym.prior = require "ym2612ml.prior"
ym.propose = require "ym2612ml.propose"
ym.recipes = require "ym2612ml.recipes"
ym.report = require "ym2612ml.report"
ym.rom = require "ym2612ml.rom"
ym.space = require "ym2612ml.space"
ym.store = require "ym2612ml.store"
ym.synths = require "ym2612ml.synths"
ym.train = require "ym2612ml.train"
ym.training = require "ym2612ml.training"
ym.vgm = require "ym2612ml.vgm"

---An operator of a patch.
---@class ym2612ml.Operator
---@field mul integer 0..15, multiple of the note's frequency; 0: half
---@field dt integer -3..3, detune
---@field tl integer 0..127, total level: 0 loud, 0.75 dB a step
---@field rs integer 0..3, rate scaling: higher notes, faster envelope
---@field ar integer 0..31, attack rate; 0: never sounds
---@field am? 0|1 takes part in the LFO's tremolo
---@field dr integer 0..31, decay rate
---@field sr integer 0..31, sustain rate: decay while held
---@field rr integer 0..15, release rate
---@field sl integer 0..15, sustain level: 3 dB a step; 15: 93 dB
---@field ssg? integer 0..15, SSG-EG shape; below 8: off

---A patch: one sound of one channel. Operators at 1 to 4, in the order of the diagram.
---@class ym2612ml.Patch
---@field algorithm integer 0..7, how the operators are connected
---@field feedback integer 0..7, operator 1 modulating itself
---@field ams? integer 0..3, depth of the LFO's tremolo
---@field fms? integer 0..7, depth of the LFO's vibrato
---@field lfo? integer 0..7, speed of the LFO; nil or -1: off
---@field name? string
---@field dumper? string
---@field game? string
---@field carried? table what its file held beside these fields, for writing it again
---@field [1] ym2612ml.Operator
---@field [2] ym2612ml.Operator
---@field [3] ym2612ml.Operator
---@field [4] ym2612ml.Operator

-- Patches

---Raises, naming operator and field, unless every field is there and in range.
---@param patch ym2612ml.Patch
---@return ym2612ml.Patch patch the same table
function ym.patch.check(patch) end

---The patch that stands for all those that give the same samples for a note from
---silence. Names are not kept.
---@overload fun(packed: ym2612ml.Tensor): ym2612ml.Tensor of patches from pack
---@param patch ym2612ml.Patch
---@return ym2612ml.Patch patch a new table
function ym.patch.canonical(patch) end

---The writes that set a channel up, both sides on.
---@param patch ym2612ml.Patch
---@param channel? integer 1..6, default 1
---@return integer[][] writes {port, register, value}
function ym.patch.registers(patch, channel) end

---@class ym2612ml.Field
---@field name string
---@field minimum integer
---@field maximum integer
---@field optional boolean
---@field meaning string
---@field register integer that holds it, of operator 1 and channel 1
---@field shift integer its lowest bit there
---@field width integer bits
---@field operator? integer 1..4, whose field it is; nil: the whole patch's

---The field table: 49 fields in the order of a packed patch.
---@return ym2612ml.Field[]
function ym.patch.fields() end

---The operators that are heard.
---@param algorithm integer 0..7
---@return integer[] operators 1..4
function ym.patch.carriers(algorithm) end

---Patches as numbers: each field's value less its minimum.
---@param patches ym2612ml.Patch[]
---@return ym2612ml.Tensor packed u8 (patches, 49)
function ym.patch.pack(patches) end

---@param packed ym2612ml.Tensor u8 (patches, 49)
---@return ym2612ml.Patch[] patches
function ym.patch.unpack(packed) end

-- The chip

---@class ym2612ml.RenderOptions
---@field note? number MIDI, fractions allowed, default 69; or block and fnum
---@field block? integer 0..7
---@field fnum? integer 0..2047
---@field clock? number master clock in Hz, default 7670454 (NTSC); PAL 7600489
---@field held? number seconds from key-on to key-off, default 1, at most 600
---@field release? number seconds after it, default 0.5, at most 600
---@field chip? ym2612ml.Chip output stage, default "ym2612"
---@field rate? number Hz of the result, default the chip's: clock / 144 = 53267
---@field velocity? integer 1..127, attenuates the carriers; default: as written
---@field lfo? integer 0..7 or -1 (off), instead of the patch's
---@field raw? boolean the chip's integers (i16) at its own rate

---Plays one note of a patch. Sample 0 is the first that the key-on can change.
---@param patch ym2612ml.Patch
---@param options? ym2612ml.RenderOptions
---@return ym2612ml.Tensor samples f32 (samples), -1..1 of one channel's largest swing
---@return integer rate Hz
function ym.render(patch, options) end

---How the chip plays a note. Raises above what it can play.
---@param note number MIDI
---@param clock? number Hz, default 7670454
---@return integer block 0..7
---@return integer fnum 0..2047
function ym.pitch_of(note, clock) end

---@class ym2612ml.ChipState
local Chip = {}

---The six-channel chip, just reset.
---@param options? {chip: ym2612ml.Chip} default "ym2612"
---@return ym2612ml.ChipState
function ym.chip.new(options) end

---Queues a write; every frame takes one, which acts from the next frame on. Raises when
---1024 are waiting.
---@param port 0|1 0: channels 1 to 3 and what all share; 1: channels 4 to 6
---@param register integer 0..255
---@param value integer 0..255
function Chip:write(port, register, value) end

---@param frames integer samples to run, 144 clocks each
---@return ym2612ml.Tensor left i32 (frames)
---@return ym2612ml.Tensor right i32 (frames)
function Chip:run(frames) end

---Runs the chip and writes to it at given times. Where it is so far behind, at a write a
---frame, that 1024 are waiting, it runs more frames than it is told.
---@param writes ym2612ml.Tensor i32 (writes, 4): frame from 0, port, register, value, in
---  order of time
---@param frames integer samples to run
---@param raw? boolean the chip's integers
---@return ym2612ml.Tensor samples f32 (frames, 2), left and right, -1..1 of the largest
---  swing of all six channels; with raw i32
function Chip:play(writes, frames, raw) end

---@return string state the whole chip
function Chip:save() end

---@param state string from save, of the same build
---@return ym2612ml.ChipState? chip
---@return string? message
---@return ym2612ml.Kind? kind "format"; the chip is unchanged
function Chip:restore(state) end

---Options of a batch: numbers for all patches, or lists or tensors of one for each.
---@class ym2612ml.BatchOptions
---@field note? number|number[]|ym2612ml.Tensor MIDI, default 69; or block and fnum
---@field block? integer|integer[]|ym2612ml.Tensor 0..7
---@field fnum? integer|integer[]|ym2612ml.Tensor 0..2047
---@field held? number|number[]|ym2612ml.Tensor seconds, default 1
---@field release? number|number[]|ym2612ml.Tensor seconds, default 0.5
---@field velocity? number|number[]|ym2612ml.Tensor 1..127; default: as written
---@field chip? ym2612ml.Chip|ym2612ml.Chip[]
---@field clock? number Hz
---@field raw? boolean of render_batch: the chip's integers (i16)
---@field cents? number|number[] of features: how far above its pitch the note is taken to
---  be, -1200..1200, default 0
---@field stretch? number|number[] of features: the factor by which its held time is taken
---  to be longer, 0.5..2, default 1
---@field noise? number|number[] of features: mean square of white noise that is added, for
---  one of the note, 0..1, default 0
---@field limit? number|number[] of features: Hz from which on little is left; 0 (default):
---  none
---@field seed? integer of the noise, default 1

---Plays one note of each of many patches: sample for sample what `ym.render` gives, several
---times faster. Patches are sorted inside into bundles, one patch in each lane of the CPU's
---vectors; a few dozen patches of each algorithm, or some hundred in all, fill them.
---@param patches ym2612ml.Tensor|ym2612ml.Patch[] packed (`ym.patch.pack`) or tables
---@param options? ym2612ml.BatchOptions
---@return ym2612ml.Tensor samples f32 (patches, samples of the longest note); after the end
---  of a shorter note comes the output at rest
---@return integer rate Hz
function ym.render_batch(patches, options) end

---Renders patches and extracts the features of each, which are planned for samples at
---the chip's own rate. One call is one bounded piece of work: give it some thousand
---patches.
---@param patches ym2612ml.Tensor|ym2612ml.Patch[]
---@param features ym2612ml.Features
---@param options? ym2612ml.BatchOptions
---@return ym2612ml.Tensor values f16 (patches, features)
---@return ym2612ml.Tensor sounded u8 (patches), 1 where the note could be heard
function ym.batch.features(patches, features, options) end

---Renders patches and measures each against a target. Option clock must give samples at
---53267 Hz within a thousandth.
---@param patches ym2612ml.Tensor|ym2612ml.Patch[]
---@param target ym2612ml.Target
---@param options? ym2612ml.BatchOptions
---@return ym2612ml.Tensor distances f32 (patches), dB
function ym.batch.distances(patches, target, options) end

-- Sounds

---@class ym2612ml.Sound
---@field samples ym2612ml.Tensor f32 (samples), the mean of the channels
---@field rate number Hz
---@field channels integer of the file
---@field seconds number
---@field clipped integer samples at full scale in runs of three or more
---@field path string

---Reads a sound file of any format libsndfile knows.
---@param path string
---@param options? {rate: number} Hz to resample to, 4000..192000
---@return ym2612ml.Sound? sound
---@return string? message names the path
---@return ym2612ml.Kind? kind "io", "format" or "input" (empty, silent, not a number)
function ym.audio.read(path, options) end

---Writes a sound file, whole or not at all; values are clamped to full scale.
---@param path string
---@param samples ym2612ml.Tensor (samples) or (samples, channels)
---@param rate number Hz
---@param options? {format: "wav"|"flac", bits: 16|24|32} default as the path ends, 16; 32 is float
---@return true? done
---@return string? message names the path
---@return ym2612ml.Kind? kind
function ym.audio.write(path, samples, rate, options) end

---The bytes of the file that `write` would write.
---@param samples ym2612ml.Tensor (samples) or (samples, channels)
---@param rate number Hz
---@param options? {format: "wav"|"flac", bits: 16|24|32} default wav, 16; 32 is float
---@return string? bytes
---@return string? message
---@return ym2612ml.Kind? kind "input" or "format"
function ym.audio.encode(samples, rate, options) end

---@param samples ym2612ml.Tensor f32 (samples)
---@param from number Hz
---@param to number Hz
---@param options? {quick: boolean} in a quarter of the time, flat to 0.45 of the lower rate
---@return ym2612ml.Tensor? resampled
---@return string? message
---@return ym2612ml.Kind? kind "input"
function ym.audio.resample(samples, from, to, options) end

---The largest absolute sample of each sound; NaN for one that holds what is not a number.
---@param sounds ym2612ml.Tensor f32 (sounds, samples)
---@return number[]
function ym.audio.peaks(sounds) end

---The sound from the onset of its note on.
---@param samples ym2612ml.Tensor f32 (samples)
---@param rate number Hz
---@return ym2612ml.Tensor? trimmed a view
---@return number|string? onset seconds, or a message
---@return ym2612ml.Kind? kind "input"
function ym.audio.trim(samples, rate) end

---The fundamental frequency of a note, the most likely of several guesses.
---@param samples ym2612ml.Tensor f32 (samples)
---@param options? {rate: number, minimum: number, maximum: number, near: number} 53267,
---27.5, 4200 Hz; near: f0 in Hz to within 60 cents, where it is known
---@return number? f0 Hz
---@return number|string? confidence 0..1 (with near: the share of the partials that
---agree), or a message
---@return {f0: number, share: number}[]|ym2612ml.Kind? guesses the most likely first, none
---with near; or "input"
function ym.pitch(samples, options) end

---A guess of when the key was let go.
---@param samples ym2612ml.Tensor f32 (samples)
---@param rate number Hz
---@return number? seconds
---@return number[]|string? guesses seconds, the most likely first; or a message
---@return ym2612ml.Kind? kind "input"
function ym.held(samples, rate) end

---What is to be known of a recording besides its note: the RMS of its loudest 100 ms, the
---mean square of the white noise in it (0: none), and the end of its band in Hz (nil: none
---was found).
---@param samples ym2612ml.Tensor f32 (samples)
---@param rate number Hz
---@param band? number Hz above which the samples hold nothing, default rate / 2
---@return {level: number, noise: number, limit: number?}? survey
---@return string? message
---@return ym2612ml.Kind? kind "input"
function ym.survey(samples, rate, band) end

-- Features

---@class ym2612ml.SpectrumOptions
---@field rate? number Hz, default 53267
---@field size? integer samples in a frame, even, default 1024 (harmonics: 4096)
---@field hop? integer samples between frames, default size / 4
---@field times? number[] seconds at which frames are centred, instead of hop
---@field window? ym2612ml.Window default "hann"
---@field scale? ym2612ml.Scale default "power"
---@field floor? number power added before decibels, default 1e-10
---@field bands? integer of mel, mfcc and harmonics, default 64
---@field low? number Hz, of mel and mfcc, default 20
---@field high? number Hz, of mel and mfcc, default 18000
---@field f0? number Hz, of harmonics, required
---@field coefficients? integer of mfcc, default 20

---The power in every bin; a sine of amplitude 1 has power 1.
---@param samples ym2612ml.Tensor f32 (samples), or (clips, samples)
---@param options? ym2612ml.SpectrumOptions
---@return ym2612ml.Tensor? spectrogram f32 ([clips,] frames, size / 2 + 1)
---@return string? message
---@return ym2612ml.Kind? kind "input"
function ym.spectrogram(samples, options) end

---Bands of equal width on the mel scale.
---@param samples ym2612ml.Tensor f32 (samples), or (clips, samples)
---@param options? ym2612ml.SpectrumOptions
---@return ym2612ml.Tensor? bands f32 ([clips,] frames, bands)
---@return string? message
---@return ym2612ml.Kind? kind "input"
function ym.mel(samples, options) end

---Mel cepstrum: the orthonormal DCT-II of the mel bands in dB.
---@param samples ym2612ml.Tensor f32 (samples), or (clips, samples)
---@param options? ym2612ml.SpectrumOptions
---@return ym2612ml.Tensor? coefficients f32 ([clips,] frames, coefficients)
---@return string? message
---@return ym2612ml.Kind? kind "input"
function ym.mfcc(samples, options) end

---Bands around k f0 / 2, k = 1 .. bands.
---@param samples ym2612ml.Tensor f32 (samples), or (clips, samples)
---@param options ym2612ml.SpectrumOptions
---@return ym2612ml.Tensor? bands f32 ([clips,] frames, bands)
---@return string? message
---@return ym2612ml.Kind? kind "input"
function ym.harmonics(samples, options) end

---@class ym2612ml.Features
local Features = {}

---@class ym2612ml.FeatureBlock
---@field kind "mel"|"harmonics"
---@field size integer samples in a frame, even
---@field bands integer
---@field on? number[] times of frames in seconds after the onset
---@field off? number[] times of frames in seconds after the key-off

---@class ym2612ml.FeatureRecipe
---@field rate? number Hz, default 53267
---@field floor? number power, relative to the loudest frame, that becomes 0, default 1e-6
---@field [integer] ym2612ml.FeatureBlock 1 to 16 of them

---A recipe of what networks hear.
---@param recipe ym2612ml.FeatureRecipe
---@return ym2612ml.Features
function ym.features.new(recipe) end

---@param samples ym2612ml.Tensor f32 (samples), the onset at the first
---@param options {f0: number, held: number} Hz; seconds
---@return ym2612ml.Tensor? values f32 (values)
---@return string? message
---@return ym2612ml.Kind? kind "input"
function Features:extract(samples, options) end

---@return integer values in one extraction; #features is the same
function Features:count() end

---Heads: what a network says of a patch, a distribution over the classes of each register.
---@class ym2612ml.Heads
local Heads = {}

---@class ym2612ml.Head
---@field position integer of the field in a packed patch, from 1; 50: the total level of the
---  loudest carrier, to which those of carriers are relative
---@field first integer from 1, of its logits
---@field width integer classes, as many as logits
---@field size integer values in a class
---@field ordered? boolean neighbouring values sound alike

---@param list ym2612ml.Head[]
---@return ym2612ml.Heads
function ym.heads.new(list) end

---@param packed ym2612ml.Tensor u8 (patches, 49)
---@return ym2612ml.Tensor levels u8 (patches), the total levels of the loudest carriers
function ym.heads.levels(packed) end

---Packed patches with their loudest carriers at other total levels, the other carriers as
---far above as before.
---@param packed ym2612ml.Tensor u8 (patches, 49)
---@param levels ym2612ml.Tensor|number[] (patches), 0..127
---@return ym2612ml.Tensor moved u8 (patches, 49)
function ym.heads.at_levels(packed, levels) end

---The most likely patch of each algorithm.
---@param logits ym2612ml.Tensor f32 (8, all heads): of algorithms 0 to 7
---@param options? {level: boolean} whether the loudest carrier gets the level told, or
---  (default) 0
---@return ym2612ml.Tensor packed u8 (8, 49)
function Heads:modes(logits, options) end

---Patches drawn from the distributions, each register by itself.
---@param logits ym2612ml.Tensor f32 (8, all heads)
---@param count integer
---@param options {weights: number[], coldest: number, warmest: number, level: boolean, seed: integer, stream: integer}
---  weights: of the 8 algorithms; coldest and warmest: temperatures of the draws,
---  0.05..10, default 1; level: as for modes; seed: default 1; stream: default 0
---@return ym2612ml.Tensor packed u8 (count, 49)
function Heads:draw(logits, count, options) end

---D: how far a sound is from a target, in dB, whatever their levels.
---@param target ym2612ml.Tensor f32 (samples)
---@param candidate ym2612ml.Tensor f32 (samples)
---@param options? {rate: number, source_rate: number}
---@return number? distance
---@return number[]|string? scales of frames of 512, 1024 and 2048, or a message
---@return ym2612ml.Kind? kind "input": the target is silent, or a sample not a number
function ym.distance(target, candidate, options) end

---The search for patches in bounded steps, which ym.estimate is made of.
---@class ym2612ml.Search
local Search = {}

---@class ym2612ml.SearchOptions
---@field seed? integer default 1
---@field islands? integer populations that evolve by themselves, 1..16, default 4
---@field patience? integer generations without progress until an island searches locally,
---  default 10
---@field level? boolean whether the output stage lets the carriers' common level be heard
---@field ssg? boolean whether SSG-EG is tried, default true
---@field lfo? boolean whether the LFO is tried, default false: it is off
---@field lock? {[1]: integer, [2]: integer}[] position 1..49 and packed value of registers
---  that keep theirs
---@field frames? integer[] of each scale of D that candidates are compared in, default
---  {48, 48, 32}
---@field early? number seconds of a note by which candidates are sifted; 0 (default): none
---@field clock? number master clock in Hz

---@class ym2612ml.SearchTarget
---@field target ym2612ml.Target
---@field held number seconds to the key-off
---@field noise? number mean square of white noise in it, default 0
---@field velocity? integer 1..127

---@param targets ym2612ml.SearchTarget[] one, or several sounds of one instrument
---@param options? ym2612ml.SearchOptions
---@return ym2612ml.Search
function ym.search.new(targets, options) end

---Adds a way in which the sounds may have been played; at most 32.
---@param chip string output stage
---@param ... number[]|number MIDI note and held seconds for each target; last, if given, dB
---  that are added to the costs of patches played so
---@return integer take its number, from 1
function Search:take(chip, ...) end

---Judges patches to start from.
---@param packed ym2612ml.Tensor u8 (patches, 49)
---@param take? integer default 1
function Search:add(packed, take) end

---One generation.
---@param count integer new patches, about
function Search:evolve(count) end

---All islands go on from the best that any has found.
function Search:gather() end

---Goes on with another part of D.
---@param options {frames: integer[]}
function Search:sharpen(options) end

---A local search around the best patch.
---@param algorithm? integer of that algorithm, 0..7; -1 (default): of all
---@return boolean improved
function Search:polish(algorithm) end

---@return ym2612ml.Tensor packed u8 (patches, 49): the best of each algorithm
---@return integer[] takes
---@return number[] costs about D, in dB
function Search:results() end

---@return number renders notes rendered, parts counted as parts
function Search:renders() end

---Gives the memory back.
function Search:close() end

---@class ym2612ml.Target
local Target = {}

---A target that many sounds are compared with.
---@param samples ym2612ml.Tensor f32 (samples)
---@param options? {rate: number, source_rate: number} Hz of all samples, default 53267;
--- the rate it was recorded at: bands above its reach are left out
---@return ym2612ml.Target? target
---@return string? message
---@return ym2612ml.Kind? kind "input"
function ym.target.new(samples, options) end

---@param samples ym2612ml.Tensor f32 (samples)
---@return number? distance dB
---@return number[]|string? scales
---@return ym2612ml.Kind? kind
function Target:distance(samples) end

-- Learning

---@class ym2612ml.Rng
local Rng = {}

---A generator of random numbers. Streams of one seed are independent.
---@param options? {seed: integer, stream: integer} defaults 1 and 0
---@return ym2612ml.Rng
function ym.rng.new(options) end

---@param low? number default 0
---@param high? number default 1
---@return number value low <= value < high
function Rng:uniform(low, high) end

---@param mean? number default 0
---@param deviation? number default 1
---@return number
function Rng:normal(mean, deviation) end

---@param low integer
---@param high integer
---@return integer value low..high, each equally likely
function Rng:integer(low, high) end

---@generic T
---@param list T[]
---@return T[] list the same, in random order
function Rng:shuffle(list) end

---@param count integer
---@return ym2612ml.Tensor order i32 (count): 1..count in random order
function Rng:order(count) end

---@param weights number[] 0 or more
---@return integer index as likely as its weight
function Rng:choose(weights) end

---@return string state
function Rng:dump() end

---@param state string from dump
---@return ym2612ml.Rng
function Rng:restore(state) end

---@param bytes string
---@return string digest 64 hexadecimal digits
function ym.store.sha256(bytes) end

---@param path string
---@return string? digest 64 hexadecimal digits
---@return string? message names the path
---@return ym2612ml.Kind? kind "io"
function ym.store.sha256_file(path) end

-- Underneath

---Numbers in a block of memory with a shape. t[i] is a number of a tensor of rank 1, and
---of others the view of a row; #t is the size of axis 1.
---@class ym2612ml.Tensor
---@field [integer] any
---@operator len: integer
local Tensor = {}

---@param shape integer[] 1 to 6 sizes
---@param type? ym2612ml.Type default "f32"
---@return ym2612ml.Tensor tensor of zeros
function ym.tensor.new(shape, type) end

---@param numbers table nested lists
---@param type? ym2612ml.Type default "f32"
---@return ym2612ml.Tensor
function ym.tensor.from(numbers, type) end

---@param ... integer an index for each axis
---@return number
function Tensor:get(...) end

---@param ... number an index for each axis, then the value
function Tensor:set(...) end

---@param value number
---@return ym2612ml.Tensor self
function Tensor:fill(value) end

---@param source ym2612ml.Tensor of the same shape
---@return ym2612ml.Tensor self
function Tensor:copy(source) end

---@param type ym2612ml.Type
---@return ym2612ml.Tensor copy
function Tensor:to(type) end

---@return integer[] sizes
function Tensor:shape() end

---@return ym2612ml.Type
function Tensor:type() end

---@param first integer along axis 1
---@param last? integer included, default the last
---@return ym2612ml.Tensor view
function Tensor:slice(first, last) end

---@param shape integer[] of an equal count
---@return ym2612ml.Tensor view
function Tensor:reshape(shape) end

---@param axes integer[] every axis once: which one becomes the first, the second, ...
---@return ym2612ml.Tensor view
function Tensor:permute(axes) end

---@param list integer[] indices along axis 1
---@return ym2612ml.Tensor copy of these rows
function Tensor:rows(list) end

---@return table numbers nested lists
function Tensor:totable() end

---@return string bytes row-major, in the machine's byte order
function Tensor:bytes() end

---Sets and tells how many threads the long work of this Lua state may use: at first as
---many as the machine has processors. Results never depend on it. A host with several
---states, or with other work, gives each state a few.
---@param count? integer 1..64
---@return integer count
function ym.threads(count) end

---Sets and tells which instructions the kernels of this Lua state use: at first the most
---that the CPU has. Chip samples never depend on it, features by less than 1e-5. Raises
---for a level that the CPU does not have.
---@param level? "baseline"|"avx2"|"avx512"
---@return string level
function ym.simd(level) end

---The CRC-32 of zlib and PNG.
---@param bytes string
---@param crc? integer of what came before
---@return integer crc
function ym.crc32(bytes, crc) end

---Packs bytes, at most 2^30, as a gzip file without name and time.
---@param bytes string
---@return string packed
function ym.gzip(bytes) end

---What a gzip file or a zlib stream holds.
---@param bytes string
---@param most? integer bytes that it may unpack to, default 2^26
---@return string? unpacked
---@return string? message
---@return ym2612ml.Kind? kind "format": neither, damaged, cut short, or more than most
function ym.gunzip(bytes, most) end

---Seconds since some moment in the past; never goes back.
---@return number seconds
function ym.clock() end

---Lets Lua's collector work as far as if Lua had been asked for so many bytes, unless it is
---stopped: for what is held outside Lua's memory, or was just dropped.
---@param bytes integer
function ym.tell_collector(bytes) end

return ym
