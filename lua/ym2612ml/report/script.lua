-- What makes a report's page work: shows one target and one of its matches, plays them,
-- draws their spectra. Texts are set as texts, never as markup.
return [=[
"use strict";
(function () {
  const data = JSON.parse(document.getElementById("data").textContent);
  const $ = (id) => document.getElementById(id);
  const FARTHEST = 10; // dB: the longest bar of a distance
  const PAUSE = 200; // ms between target and match

  let chosen = 0; // the target, and of each target the match
  const ranks = data.targets.map(() => 0);

  function element(tag, className, text) {
    const made = document.createElement(tag);
    if (className) made.className = className;
    if (text !== undefined) made.textContent = text;
    return made;
  }

  function fill(parent, children) {
    parent.replaceChildren(...children);
  }

  function bytes(base64) {
    return Uint8Array.from(atob(base64), (character) => character.charCodeAt(0));
  }

  function decibels(distance) {
    return distance === undefined ? "" : distance.toFixed(2) + " dB";
  }

  function noteName(note) {
    const nearest = Math.round(note), cents = Math.round((note - nearest) * 100);
    const name = ["C", "C♯", "D", "D♯", "E", "F", "F♯", "G", "G♯", "A", "A♯", "B"][nearest % 12];
    const tuning = cents ? (cents > 0 ? " +" : " −") + Math.abs(cents) + " cents" : "";
    return name + (Math.floor(nearest / 12) - 1) + tuning;
  }

  // Spectra

  // From silence to the loudest: stops of the colour map, red, green, blue.
  const STOPS = [[10, 10, 24], [44, 22, 92], [122, 31, 107], [200, 64, 79], [242, 140, 56], [253, 233, 160]];
  const COLOURS = Array.from({ length: 256 }, (_, value) => {
    const place = value / 255 * (STOPS.length - 1), low = Math.min(Math.floor(place), STOPS.length - 2);
    return STOPS[low].map((part, i) => part + (STOPS[low + 1][i] - part) * (place - low));
  });
  const LEFT = 42, BOTTOM = 20; // pixels beside and below the picture

  const mel = (hertz) => Math.log10(1 + hertz / 700);

  // The share of the height, from the bottom, of a frequency.
  function heightOf(hertz) {
    const low = mel(data.picture.low), high = mel(data.picture.high);
    return (mel(hertz) - low) / (high - low);
  }

  // The picture of a clip, a pixel for each band of each frame.
  function picture(index) {
    const values = bytes($("picture-" + index).textContent), bands = data.picture.bands;
    const frames = values.length / bands, canvas = element("canvas");
    canvas.width = frames;
    canvas.height = bands;
    const context = canvas.getContext("2d"), image = context.createImageData(frames, bands);
    for (let frame = 0; frame < frames; frame++) {
      for (let band = 0; band < bands; band++) {
        const [red, green, blue] = COLOURS[values[frame * bands + band]];
        image.data.set([red, green, blue, 255], 4 * ((bands - 1 - band) * frames + frame));
      }
    }
    context.putImageData(image, 0, 0);
    return canvas;
  }

  function drawAxes(context, width, height, seconds, colour) {
    context.fillStyle = context.strokeStyle = colour;
    context.font = "11px system-ui, sans-serif";
    context.textAlign = "right";
    context.textBaseline = "middle";
    for (const hertz of [100, 500, 1000, 2000, 4000, 8000, 16000]) {
      const y = height * (1 - heightOf(hertz));
      context.fillText(hertz < 1000 ? hertz : hertz / 1000 + " k", LEFT - 8, Math.min(Math.max(y, 6), height - 5));
      context.fillRect(LEFT - 5, Math.round(y), 4, 1);
    }
    context.textAlign = "center";
    const step = [0.05, 0.1, 0.2, 0.5, 1, 2].find((candidate) => seconds / candidate <= 6);
    for (let i = 0; i * step <= seconds; i++) {
      const x = LEFT + width * i * step / seconds;
      context.fillRect(Math.round(x), height + 1, 1, 4);
      if (x < LEFT + width - 14) context.fillText(+(i * step).toFixed(2) + (i ? "" : " s"), x, height + 13);
    }
  }

  // Players

  function newPlayer(side) {
    const figure = $(side);
    const player = {
      figure, audio: figure.querySelector("audio"), canvas: figure.querySelector("canvas"),
      button: figure.querySelector(".play"), cursor: figure.querySelector(".cursor"),
      problem: figure.querySelector(".problem"), what: figure.querySelector(".what"),
      clip: undefined, span: 1, // seconds of the whole width
    };
    player.audio.addEventListener("play", () => { figure.classList.add("playing"); follow(player); });
    for (const name of ["pause", "ended"]) {
      player.audio.addEventListener(name, () => { figure.classList.remove("playing"); });
    }
    player.audio.addEventListener("error", () => {
      if (player.clip !== undefined) tell(player, "This browser cannot play FLAC.");
    });
    player.button.addEventListener("click", () => { toggle(player); });
    player.canvas.addEventListener("click", (event) => {
      const box = player.canvas.getBoundingClientRect();
      const share = (event.clientX - box.left - LEFT) / (box.width - LEFT);
      play(player, Math.max(0, share * player.span));
    });
    return player;
  }

  function tell(player, problem) {
    player.problem.textContent = problem || "";
    player.problem.hidden = !problem;
  }

  // Moves the cursor while the sound plays.
  function follow(player) {
    const { audio, cursor, canvas } = player;
    const seconds = player.clip === undefined ? 0 : audio.currentTime;
    cursor.hidden = audio.paused;
    cursor.style.left = LEFT + (canvas.clientWidth - LEFT) * seconds / player.span + "px";
    if (!audio.paused) requestAnimationFrame(() => follow(player));
  }

  const players = { a: newPlayer("a"), b: newPlayer("b") };
  let both = false, timer; // whether, and when, the match is to follow the target

  players.a.audio.addEventListener("ended", () => {
    if (both) timer = setTimeout(() => play(players.b), PAUSE);
  });

  function stop() {
    clearTimeout(timer);
    both = false;
    for (const player of Object.values(players)) player.audio.pause();
  }

  function play(player, from) {
    stop();
    if (player.clip === undefined) return;
    player.audio.currentTime = from || 0;
    player.audio.play().catch(() => {}); // stopped before it began
  }

  function toggle(player) {
    if (player.audio.paused) play(player);
    else stop();
  }

  // The target, then the match; or stops.
  function playBoth() {
    if (both || Object.values(players).some((player) => !player.audio.paused)) {
      stop();
    } else {
      play(players.a.clip === undefined ? players.b : players.a);
      both = players.a.clip !== undefined;
    }
  }

  // Gives a player the sound of a clip, or says why there is none.
  function load(player, clip, missing) {
    if (player.audio.src) URL.revokeObjectURL(player.audio.src);
    player.clip = clip;
    player.button.disabled = clip === undefined;
    tell(player, clip === undefined ? missing || "There is no sound." : "");
    if (clip === undefined) {
      player.audio.removeAttribute("src");
      player.what.textContent = "";
      return;
    }
    player.audio.src = URL.createObjectURL(new Blob([bytes($("sound-" + clip).textContent)], { type: "audio/flac" }));
    player.what.textContent = data.clips[clip].seconds.toFixed(2) + " s";
  }

  // The louder of the two is made softer.
  function setVolumes() {
    const [a, b] = ["a", "b"].map((side) => data.clips[players[side].clip]);
    const level = $("level").checked && a && b ? Math.min(a.level, b.level) : Infinity;
    if (a) players.a.audio.volume = Math.min(1, level / a.level);
    if (b) players.b.audio.volume = Math.min(1, level / b.level);
  }

  // Draws both spectra on one scale of time.
  function draw() {
    const shown = Object.values(players).filter((player) => player.clip !== undefined);
    const span = Math.max(...shown.map((player) => data.clips[player.clip].seconds));
    const colour = getComputedStyle(document.body).color;
    for (const player of Object.values(players)) {
      const { canvas } = player, scale = window.devicePixelRatio || 1;
      const width = canvas.clientWidth - LEFT, height = canvas.clientHeight - BOTTOM;
      canvas.width = canvas.clientWidth * scale;
      canvas.height = canvas.clientHeight * scale;
      if (player.clip === undefined) continue;
      const clip = data.clips[player.clip], image = picture(player.clip), context = canvas.getContext("2d");
      player.span = span;
      context.scale(scale, scale);
      context.fillStyle = "rgb(" + COLOURS[0].join() + ")";
      context.fillRect(LEFT, 0, width, height);
      context.drawImage(image, LEFT, 0, width * Math.min(1, image.width * clip.step / span), height);
      drawAxes(context, width, height, span, colour);
    }
  }

  // The patch

  function operatorNames(patch) {
    const carriers = new Set(data.carriers[patch.algorithm]);
    return [1, 2, 3, 4].map((number) => {
      const cell = element("th", carriers.has(number) ? "carrier" : "", "op " + number);
      if (carriers.has(number)) cell.title = "heard directly";
      return cell;
    });
  }

  function showDiagram(patch) {
    for (const diagram of document.querySelectorAll(".diagram")) {
      diagram.toggleAttribute("hidden", diagram.id !== "algorithm-" + patch.algorithm);
    }
    const diagram = $("algorithm-" + patch.algorithm);
    const texts = { feedback: "feedback " + patch.feedback };
    patch.operators.forEach((operator, i) => {
      texts["mul" + (i + 1)] = "× " + (operator.mul || "½");
      texts["tl" + (i + 1)] = "TL " + operator.tl;
    });
    for (const text of diagram.querySelectorAll("[data-text]")) text.textContent = texts[text.dataset.text];
    for (const part of diagram.querySelectorAll(".feedback")) part.classList.toggle("off", patch.feedback === 0);
  }

  function showPatch(match) {
    const { patch } = match, marks = {};
    for (const name of ["certain", "idle"]) {
      for (const [operator, field] of match[name] || []) marks[operator + field] = name;
    }
    showDiagram(patch);
    const whole = data.fields.filter((field) => !field.of_operator && patch[field.name] !== undefined);
    fill($("whole"), whole.flatMap((field, i) => {
      const part = element("span", marks["0" + field.name], field.name + " " + patch[field.name]);
      part.title = field.meaning;
      return i ? [" · ", part] : [part];
    }));
    const head = element("tr");
    head.append(element("th"), ...operatorNames(patch), element("th"));
    fill($("fields").tHead, [head]);
    fill($("fields").tBodies[0], data.fields.filter((field) => field.of_operator).map((field) => {
      const row = element("tr"), name = element("th", "", field.name);
      name.scope = "row";
      name.title = field.meaning;
      row.append(name, ...patch.operators.map((operator, i) =>
        element("td", marks[i + 1 + field.name], operator[field.name])), element("td", "", field.meaning));
      return row;
    }));
    $("legend").hidden = !match.certain;
  }

  function link(name, type, base64) {
    const made = element("a", "", name);
    made.href = "data:" + type + ";base64," + base64;
    made.download = name;
    return made;
  }

  // Links to the files of what is shown; those of sounds are filled in when they are wanted.
  function showFiles(target, match) {
    const links = [element("span", "", "Download:")];
    const made = match ? match.files : [];
    for (const file of made) links.push(link(file.name, "application/octet-stream", file.bytes));
    const stem = match ? made[0].name.replace(/\.[^.]*$/, "") : "";
    for (const [clip, name] of [[match && match.clip, stem + ".flac"], [target.clip, target.stem + ".flac"]]) {
      if (clip !== undefined) links.push(link(name, "audio/flac", $("sound-" + clip).textContent));
    }
    fill($("files"), links.length > 1 ? links : []);
  }

  // What is shown

  function showMatches(target) {
    fill($("matches"), target.matches.map((match, rank) => {
      const item = element("li"), button = element("button");
      button.type = "button";
      button.setAttribute("aria-pressed", rank === ranks[chosen]);
      const bar = element("span", "bar");
      bar.style.width = 100 * Math.min(1, (match.distance || 0) / FARTHEST) + "%";
      button.append(element("span", "which", rank + 1 + " · alg " + match.algorithm));
      if (match.distance !== undefined) button.append(element("span", "distance", decibels(match.distance)), bar);
      button.addEventListener("click", () => chooseMatch(rank));
      item.append(button);
      return item;
    }));
  }

  function showMatch() {
    const target = data.targets[chosen], match = target.matches[ranks[chosen]];
    load(players.b, match && match.clip, match ? match.missing : "There is no match.");
    [...$("matches").querySelectorAll("button")].forEach((button, rank) => {
      button.setAttribute("aria-pressed", rank === ranks[chosen]);
    });
    for (const id of ["ranked", "patch-of"]) $(id).parentElement.hidden = !match;
    if (match) {
      showPatch(match);
      $("b").querySelector(".rank").textContent = " " + (ranks[chosen] + 1);
      if (match.distance !== undefined) players.b.what.textContent += " · " + decibels(match.distance);
    }
    showFiles(target, match);
    setVolumes();
    draw();
  }

  function showTarget() {
    const target = data.targets[chosen];
    const facts = [];
    if (target.note !== undefined) facts.push("note " + noteName(target.note));
    if (target.held !== undefined) facts.push("held " + target.held.toFixed(2) + " s");
    if (target.about) facts.push(target.about);
    $("name").textContent = target.name;
    $("about").textContent = facts.join(" · ");
    $("choose").selectedIndex = chosen;
    load(players.a, target.clip, target.missing || "No sound to compare with.");
    [...$("targets").querySelectorAll("button")].forEach((button, i) => {
      button.setAttribute("aria-current", i === chosen);
      if (i === chosen) button.scrollIntoView({ block: "nearest" });
    });
    showMatches(target);
    showMatch();
  }

  // Shows something else, and plays it if so wished.
  function change(show) {
    stop();
    show();
    if ($("follow").checked) play(players.b);
  }

  function chooseTarget(index) {
    if (index < 0 || index >= data.targets.length || index === chosen) return;
    chosen = index;
    change(showTarget);
  }

  function chooseMatch(rank) {
    if (rank < 0 || rank >= data.targets[chosen].matches.length || rank === ranks[chosen]) return;
    ranks[chosen] = rank;
    change(showMatch);
  }

  function listTargets() {
    fill($("targets"), data.targets.map((target, i) => {
      const item = element("li"), button = element("button"), best = target.matches[0];
      button.type = "button";
      button.append(element("span", "name", target.name));
      button.append(element("span", "distance", best ? decibels(best.distance) : "–"));
      button.addEventListener("click", () => chooseTarget(i));
      item.append(button);
      return item;
    }));
    fill($("choose"), data.targets.map((target) => element("option", "", target.name)));
  }

  function summarise() {
    const best = data.targets.map((target) => target.matches.length ? target.matches[0].distance : undefined);
    const known = best.filter((distance) => distance !== undefined).sort((a, b) => a - b);
    const count = data.targets.length, middle = known.length / 2;
    const parts = [count + (count === 1 ? " sound" : " sounds")];
    if (known.length) {
      const median = (known[Math.ceil(middle) - 1] + known[Math.floor(middle)]) / 2;
      const close = Math.round(100 * known.filter((distance) => distance < 1).length / known.length);
      parts.push("median distance " + decibels(median), close + " % below 1 dB");
    }
    $("summary").textContent = parts.join(" · ");
  }

  const KEYS = {
    ArrowUp: () => chooseTarget(chosen - 1),
    ArrowDown: () => chooseTarget(chosen + 1),
    ArrowLeft: () => chooseMatch(ranks[chosen] - 1),
    ArrowRight: () => chooseMatch(ranks[chosen] + 1),
    a: () => toggle(players.a),
    b: () => toggle(players.b),
    " ": playBoth,
  };

  function onKey(event) {
    const { target, key } = event, act = KEYS[key.length === 1 ? key.toLowerCase() : key];
    const has_own = target.matches("select, input:not([type=checkbox])")
      || key === " " && target.matches("button, input, a, summary");
    const held_down = event.repeat && key.length === 1; // would play and stop in turn
    if (!act || has_own || held_down || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    act();
  }

  if (!data.targets.length) {
    document.querySelector("main").hidden = true;
    $("summary").textContent = "There is nothing to listen to.";
    return;
  }
  document.addEventListener("keydown", onKey);
  // a button that the mouse has pressed leaves the space bar to what it does in the page
  document.addEventListener("click", (event) => {
    if (event.detail > 0 && document.activeElement.matches("button, input")) document.activeElement.blur();
  });
  $("both").addEventListener("click", playBoth);
  $("level").addEventListener("change", setVolumes);
  $("previous").addEventListener("click", () => chooseTarget(chosen - 1));
  $("next").addEventListener("click", () => chooseTarget(chosen + 1));
  $("choose").addEventListener("change", () => chooseTarget($("choose").selectedIndex));
  window.addEventListener("resize", draw);
  window.matchMedia("(prefers-color-scheme: dark)").addEventListener("change", draw);
  listTargets();
  summarise();
  showTarget();
})();
]=]
