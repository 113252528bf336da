-- How a report looks: light or dark as the system is, one column on a phone.
return [[
:root {
  color-scheme: light dark;
  --ground: #fbfaf7; --panel: #ffffff; --ink: #1d1c1a; --pale: #6d6a64; --line: #dcd8d0;
  --accent: #0b6e62; --on-accent: #ffffff; --chosen: #e3f0ed; --second: #a34a12;
}
@media (prefers-color-scheme: dark) {
  :root {
    --ground: #161615; --panel: #1f1f1e; --ink: #eceae5; --pale: #a19d95; --line: #393835;
    --accent: #5cc4b4; --on-accent: #06231f; --chosen: #203633; --second: #eb9a5f;
  }
}
* { box-sizing: border-box; }
body {
  margin: 0; background: var(--ground); color: var(--ink);
  font: 15px/1.45 system-ui, -apple-system, "Segoe UI", Roboto, "DejaVu Sans", sans-serif;
  display: grid; grid-template-columns: 17rem minmax(0, 1fr); grid-template-rows: auto 1fr auto;
  height: 100vh; height: 100dvh;
}
header {
  grid-column: 1 / -1; display: flex; flex-wrap: wrap; align-items: baseline; gap: 0 1.5rem;
  padding: .7rem 1.25rem; border-bottom: 1px solid var(--line); background: var(--panel);
}
h1 { font-size: 1.1rem; margin: 0; overflow-wrap: anywhere; }
h2 { font-size: 1.5rem; line-height: 1.2; margin: 0; overflow-wrap: anywhere; }
h3 { font-size: .8rem; letter-spacing: .06em; text-transform: uppercase; color: var(--pale); margin: 1.75rem 0 .5rem; }
p { margin: .25rem 0; }
header p, #about, #whole, #legend, footer { color: var(--pale); }
#about { overflow-wrap: anywhere; }
body > noscript { grid-column: 1 / -1; padding: 1rem; }
nav { overflow-y: auto; border-right: 1px solid var(--line); }
main { overflow-y: auto; padding: 1.1rem 1.5rem 2rem; }
main > * { max-width: 68rem; }
footer { grid-column: 1 / -1; padding: .3rem 1.25rem; border-top: 1px solid var(--line); font-size: .8rem; }
ol { list-style: none; margin: 0; padding: 0; }
button, select { font: inherit; color: inherit; }
button:focus-visible, a:focus-visible, select:focus-visible, input:focus-visible {
  outline: 2px solid var(--accent); outline-offset: 2px;
}
kbd {
  font: .75rem ui-monospace, "DejaVu Sans Mono", monospace; border: 1px solid var(--line);
  border-radius: 4px; padding: 0 .35em; background: var(--panel); color: var(--pale);
}
a { color: var(--accent); }
.problem { color: var(--second); }

#targets button {
  display: grid; grid-template-columns: minmax(0, 1fr) auto; gap: 0 .6rem; width: 100%; text-align: left;
  border: 0; border-left: 3px solid transparent; background: none; padding: .45rem 1rem; cursor: pointer;
}
#targets button:focus-visible { outline-offset: -3px; }
#targets .name { overflow: hidden; text-overflow: ellipsis; white-space: nowrap; }
#targets .distance { color: var(--pale); }
.distance { font-variant-numeric: tabular-nums; }
#targets button:hover, #matches button:hover { background: var(--panel); }
#targets button[aria-current=true] { background: var(--chosen); border-left-color: var(--accent); }

#heading { display: flex; justify-content: space-between; align-items: flex-start; gap: 1rem; margin-bottom: .9rem; }
.steps { display: none; gap: .4rem; }
.steps button, .options button, .play {
  border: 1px solid var(--line); border-radius: 8px; background: var(--panel); min-width: 2.75rem;
  min-height: 2.5rem; padding: 0 .9rem; cursor: pointer;
}
.steps select { min-height: 2.75rem; min-width: 0; flex: 1; }
.compare { display: grid; grid-template-columns: 1fr 1fr; gap: 1rem; }
figure { margin: 0; min-width: 0; }
figcaption { display: flex; align-items: center; gap: .7rem; margin-bottom: .5rem; }
figcaption .what { color: var(--pale); }
.play { background: var(--accent); border-color: var(--accent); color: var(--on-accent); font-weight: 700; }
.play::before { content: "▶"; font-size: .75em; margin-right: .5em; }
.playing .play::before { content: "■"; }
.play:disabled { opacity: .35; cursor: default; }
.view { position: relative; height: 15rem; }
.view canvas { width: 100%; height: 100%; display: block; cursor: pointer; }
.view .problem {
  position: absolute; inset: 0 0 20px 42px; margin: 0; display: grid; place-content: center; padding: 1rem;
  text-align: center; border: 1px dashed var(--line); overflow-wrap: anywhere;
}
.view .problem[hidden] { display: none; }
.cursor {
  position: absolute; top: 0; bottom: 20px; width: 2px; background: #fff; box-shadow: 0 0 0 1px #0008;
}
.options { display: flex; flex-wrap: wrap; align-items: center; gap: .5rem 1.25rem; margin-top: .8rem; }
.options label { display: flex; align-items: center; gap: .4rem; min-height: 2.5rem; }

#matches { display: grid; grid-template-columns: repeat(auto-fill, minmax(6.6rem, 1fr)); gap: .5rem; }
#matches button {
  width: 100%; text-align: left; border: 1px solid var(--line); border-radius: 8px; background: none;
  padding: .45rem .65rem; cursor: pointer; display: block;
}
#matches button[aria-pressed=true] { background: var(--chosen); border-color: var(--accent); }
#matches span { display: block; }
#matches .distance { font-size: 1.05rem; font-weight: 600; }
#matches .which { color: var(--pale); font-size: .85rem; }
#matches .bar { height: 3px; border-radius: 2px; background: var(--accent); margin-top: .3rem; min-width: 2px; }

.scroll { overflow-x: auto; }
.patch { display: grid; grid-template-columns: minmax(0, 22rem) auto; gap: .5rem 2rem; align-items: start; }
.diagram { display: block; max-width: 100%; height: auto; }
.diagram[hidden] { display: none; }
.diagram rect { fill: var(--panel); stroke: var(--pale); }
.diagram .carrier rect { fill: var(--chosen); stroke: var(--accent); stroke-width: 2; }
.diagram text { fill: var(--ink); font-size: 13px; text-anchor: end; }
.diagram .number { font-size: 18px; font-weight: 700; text-anchor: middle; }
.diagram .feedback { text-anchor: middle; font-size: 12px; }
.diagram text.feedback { fill: var(--pale); }
.diagram path { fill: none; stroke: var(--pale); stroke-width: 1.5; }
.diagram .out { stroke: var(--accent); stroke-width: 2; }
.diagram .off { visibility: hidden; }
.heads { position: absolute; }
.heads path { fill: var(--pale); }
#arrow-out path { fill: var(--accent); }
table { border-collapse: collapse; font-size: .9rem; font-variant-numeric: tabular-nums; }
th, td { padding: .2rem .6rem; text-align: right; border-bottom: 1px solid var(--line); font-weight: 400; }
th:first-child, td:last-child { text-align: left; }
thead th { font-weight: 600; white-space: nowrap; }
td:last-child { min-width: 15em; }
thead .carrier { color: var(--accent); }
td:last-child { color: var(--pale); font-size: .8rem; }
td.certain { font-weight: 700; }
.idle { color: var(--pale); opacity: .75; }
#legend { font-size: .85rem; }
#files { display: flex; flex-wrap: wrap; gap: .3rem 1.2rem; margin-top: 1rem; }
#files a { overflow-wrap: anywhere; }

@media (max-width: 1180px) {
  .patch { grid-template-columns: minmax(0, 1fr); }
}
@media (max-width: 760px) {
  body { display: block; height: auto; }
  nav, footer, kbd { display: none; }
  header { padding: .6rem 1rem; }
  main { padding: 1rem 1rem 5.5rem; }
  #heading { display: block; }
  .steps {
    display: flex; position: fixed; z-index: 1; left: 0; right: 0; bottom: 0; padding: .6rem 1rem;
    background: var(--panel); border-top: 1px solid var(--line);
  }
  .steps button { min-height: 2.75rem; }
  .compare { grid-template-columns: 1fr; }
  .view { height: 9rem; }
  .play { min-height: 2.75rem; }
  th, td { padding: .3rem .5rem; }
  td:last-child, th:last-child { display: none; }
}
]]
