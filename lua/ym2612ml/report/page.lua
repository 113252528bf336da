-- The page of a report: what is in it as HTML, with the script that shows one target at a
-- time. Names come from files and patches, and are never markup: in the HTML they are
-- escaped, and the script only sets texts. Nothing but the page's own script is run.
local base64 = require "ym2612ml.report.base64"
local diagram = require "ym2612ml.report.diagram"
local json = require "ym2612ml.json"
local patches = require "ym2612ml.patch"
local pictures = require "ym2612ml.report.clip".PICTURE
local script = require "ym2612ml.report.script"
local store = require "ym2612ml.store"
local style = require "ym2612ml.report.style"

local M = {}

local ENTITIES = { ["&"] = "&amp;", ["<"] = "&lt;", [">"] = "&gt;", ['"'] = "&quot;", ["'"] = "&#39;" }

local function escape(text)
  return (text:gsub("[&<>\"']", ENTITIES))
end

-- What allows an inline element of this content: its SHA-256.
local function allowed(text)
  local bytes = store.sha256(text):gsub("%x%x", function(digits)
    return string.char(tonumber(digits, 16))
  end)
  return ("'sha256-%s'"):format(base64.encode(bytes))
end

-- Filled in by name.
local PAGE = [[
<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; media-src blob:;
  script-src $script_hash; style-src $style_hash">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="generator" content="ym2612ml">
<title>$title</title>
<style>$style</style>
</head>
<body>
<header>
<h1>$title</h1>
<p id="summary"></p>
</header>
<noscript><p class="problem">This page plays sounds and draws with JavaScript, which is off.</p></noscript>
<nav aria-label="Sounds"><ol id="targets"></ol></nav>
<main>
<div id="heading">
<div>
<h2 id="name" aria-live="polite"></h2>
<p id="about"></p>
</div>
<div class="steps">
<button id="previous" type="button" aria-label="Previous sound">‹</button>
<select id="choose" aria-label="Sound"></select>
<button id="next" type="button" aria-label="Next sound">›</button>
</div>
</div>
<section class="compare" aria-label="Listen">
$players
</section>
<div class="options">
<button id="both" type="button">Play both <kbd>space</kbd></button>
<label><input id="level" type="checkbox" checked> equally loud</label>
<label><input id="follow" type="checkbox"> play while going through</label>
</div>
<section aria-labelledby="ranked">
<h3 id="ranked">Matches</h3>
<ol id="matches"></ol>
</section>
<section aria-labelledby="patch-of">
<h3 id="patch-of">Patch</h3>
<div class="patch">
<div><p id="whole"></p><div class="scroll">$diagrams</div></div>
<div class="scroll"><table id="fields"><thead></thead><tbody></tbody></table></div>
</div>
<p id="legend" hidden><b>Bold</b>: one step is clearly heard. <span class="idle">Pale</span>: without effect.</p>
<p id="files"></p>
</section>
</main>
<footer><p><kbd>↑</kbd> <kbd>↓</kbd> sounds, <kbd>←</kbd> <kbd>→</kbd> matches,
<kbd>a</kbd> target, <kbd>b</kbd> match, <kbd>space</kbd> one after the other, or stop.</p></footer>
<div hidden>
$clips
</div>
<script id="data" type="application/json">$data</script>
<script>$script</script>
</body>
</html>
]]

local PLAYER = [[
<figure id="$side">
<figcaption><button class="play" type="button" aria-label="$letter: play the $what">$letter</button>
<span><b>$title<span class="rank"></span></b> <span class="what"></span></span></figcaption>
<div class="view"><canvas role="img" aria-label="Spectrogram of the $what"></canvas><i class="cursor" hidden></i>
<p class="problem" hidden></p></div>
<audio preload="none"></audio>
</figure>]]

-- Fills in the names of a template. What is put in is not looked at again.
local function fill(template, values)
  return (template:gsub("%$([%l_]+)", values))
end

-- JSON in which no "<" could end the script element around it, or open another.
local function embedded_json(value)
  return (json.encode(value):gsub("<", "\\u003c"))
end

-- The texts of a clip, which the script reads when they are asked for: the picture, then
-- the sound.
local function clip_elements(clips)
  local elements = {}
  for i, clip in ipairs(clips) do
    elements[i] = ('<script id="picture-%d" type="text/plain">%s</script><script id="sound-%d" type="text/plain">'
      .. "%s</script>"):format(i - 1, clip.picture, i - 1, clip.audio)
  end
  return table.concat(elements, "\n")
end

local function diagrams()
  local drawings = { diagram.heads() }
  for algorithm = 0, 7 do
    drawings[#drawings + 1] = diagram.draw(algorithm)
  end
  return table.concat(drawings, "\n")
end

--- Makes the page.
---@param content {title: string, fields: table[], targets: table[], clips: ym2612ml.Clip[]}
---  as report.write collects it
---@return string html
function M.html(content)
  local clips, carriers = {}, {}
  for algorithm = 0, 7 do
    carriers[algorithm + 1] = patches.carriers(algorithm)
  end
  for i, clip in ipairs(content.clips) do
    clips[i] = { seconds = clip.seconds, level = clip.level, step = clip.step }
  end
  return fill(PAGE, {
    title = escape(content.title), style = style, script = script, style_hash = allowed(style),
    script_hash = allowed(script), diagrams = diagrams(), clips = clip_elements(content.clips),
    players = fill(PLAYER, { side = "a", letter = "A", title = "Target", what = "target" })
      .. fill(PLAYER, { side = "b", letter = "B", title = "Match", what = "match" }),
    data = embedded_json {
      fields = content.fields, carriers = carriers, picture = pictures, targets = content.targets, clips = clips,
    },
  })
end

return M
