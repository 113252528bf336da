-- Pages to listen to, where there is a browser: that they play the right sounds.
local browsers = require "spec.browser"
local support = require "spec.support"
local ym = require "ym2612ml"

local RATE = 44100

local folder

before_each(function() folder = support.new_folder() end)

after_each(function() support.remove_folder(folder) end)

local function in_folder(name)
  return folder .. "/" .. name
end

local function tone(count)
  return { samples = support.fm_tone(440, 1, 2, count), rate = RATE }
end

describe("a report in a browser", function()
  local with_browser = browsers.is_there() and it or pending
  local TARGETS, MATCHES = 20, 2

  -- Sounds whose lengths tell them apart.
  local function count_of(target, rank)
    return 4000 + 100 * target + 10 * rank
  end

  local function write_page()
    local targets = {}
    for i = 1, TARGETS do
      targets[i] = { name = "sound " .. i, sound = tone(count_of(i, 0)), onset = 0, note = 60, matches = {} }
      for rank = 1, MATCHES do
        targets[i].matches[rank] = { patch = support.PATCH, distance = rank, sound = tone(count_of(i, rank)) }
      end
    end
    targets[TARGETS + 1] = { name = "</script><img src=x onerror=alert(1)>", missing = "<b>gone</b>", matches = {
      { patch = support.PLUCK, sound = tone(40000) },
    } }
    assert(ym.report.write(in_folder "page.html", targets, { title = "<i>Title</i>" }))
  end

  -- Samples of what a player would play.
  local LOADED = [[(async () => {
    const audio = document.querySelector("#%s audio");
    const bytes = await (await fetch(audio.src)).arrayBuffer();
    return (await new OfflineAudioContext(1, 1, 44100).decodeAudioData(bytes)).length;
  })()]]

  with_browser("has the right sound in its players, wherever one goes", function()
    write_page()
    local browser <close> = browsers.open(in_folder "page.html", { lax = true })
    for i = 1, TARGETS do
      assert.equal("sound " .. i, browser:evaluate('document.getElementById("name").textContent'))
      assert.equal(count_of(i, 0), browser:evaluate(LOADED:format "a"))
      for rank = 1, MATCHES do
        assert.equal(count_of(i, rank), browser:evaluate(LOADED:format "b"))
        browser:press("ArrowRight")
      end
      browser:press("ArrowDown")
    end
    browser:click("#targets li:nth-child(7) button")
    browser:click("#matches li:nth-child(1) button")
    assert.equal(count_of(7, 1), browser:evaluate(LOADED:format "b"))
    assert.same({}, browser.complaints)
  end)

  with_browser("plays what is asked for, within its own policy", function()
    write_page()
    local browser <close> = browsers.open(in_folder "page.html")
    local function plays(a, b)
      return browser:wait(([[document.querySelector("#a audio").paused === %s
        && document.querySelector("#b audio").paused === %s]]):format(not a, not b))
    end
    assert.equal(TARGETS + 1, browser:evaluate('document.querySelectorAll("#targets button").length'))
    browser:press("a")
    assert.is_true(browser:wait 'document.querySelector("#a audio").currentTime > 0' and plays(false, false))
    assert.near(count_of(1, 0) / RATE, browser:evaluate 'document.querySelector("#a audio").duration', 0.001)
    browser:press("b")
    assert.is_true(browser:wait 'document.querySelector("#b audio").currentTime > 0' and plays(false, false))
    browser:click("#targets li:last-child button")
    browser:press(" ") -- no target: the match alone
    assert.is_true(plays(false, true))
    browser:press(" ")
    assert.is_true(plays(false, false))
    browser:click("#b .play")
    assert.is_true(plays(false, true))
    assert.equal("<b>gone</b>", browser:evaluate 'document.querySelector("#a .problem").textContent')
    assert.equal("<i>Title</i>", browser:evaluate 'document.querySelector("h1").textContent')
    assert.equal(0, browser:evaluate 'document.querySelectorAll("img, b b, i i").length')
    browser:press("ArrowUp")
    assert.is_true(plays(false, false))
    browser:press(" ")
    assert.is_true(browser:wait 'document.querySelector("#b audio").currentTime > 0' and plays(false, false))
    assert.is_true(browser:evaluate 'document.querySelector("#a audio").ended')
    assert.same({}, browser.complaints)
  end)
end)
