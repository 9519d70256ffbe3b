"""The style sheet of the page: screen, phone, dark, print. No font or file from elsewhere."""

STYLE = """
:root {
  --ink: #1b1f24; --soft: #57606a; --line: #d0d7de; --paper: #ffffff; --shade: #f5f7f9;
  --link: #0b5cad; --mark: #0072b2;
}
@media (prefers-color-scheme: dark) {
  :root {
    --ink: #e6e9ec; --soft: #a3adb8; --line: #3a424c; --paper: #14181d; --shade: #1d232a;
    --link: #79b8ff; --mark: #56b4e9;
  }
}
* { box-sizing: border-box; }
html { -webkit-text-size-adjust: 100%; scroll-behavior: smooth; }
body {
  margin: 0 auto; padding: 1.5rem 1.25rem 4rem; max-width: 60rem; color: var(--ink);
  background: var(--paper); font: 1rem/1.55 system-ui, -apple-system, "Segoe UI", Roboto,
  "Helvetica Neue", Arial, sans-serif; overflow-wrap: break-word;
}
h1 { font-size: 1.75rem; line-height: 1.2; margin: 0 0 .75rem; text-wrap: balance; }
h2 { font-size: 1.3rem; line-height: 1.3; margin: 3rem 0 .75rem; padding-top: .75rem;
  border-top: 1px solid var(--line); text-wrap: balance; }
h3 { font-size: 1.08rem; margin: 2rem 0 .5rem; }
p, ul { margin: .75rem 0; max-width: 46rem; }
ul { padding-left: 1.25rem; }
a { color: var(--link); text-underline-offset: .15em; }
code { font: .86em/1.4 ui-monospace, SFMono-Regular, Menlo, Consolas, monospace;
  background: var(--shade); border-radius: 3px; padding: .1em .25em; overflow-wrap: anywhere; }
pre { background: var(--shade); border-radius: 6px; padding: .75rem 1rem; overflow-x: auto; }
pre code { background: none; padding: 0; overflow-wrap: normal; }
header { border-left: 4px solid var(--mark); padding-left: 1rem; margin-bottom: 1.5rem; }
header p { color: var(--soft); }
header strong { color: var(--ink); }
nav { max-width: 46rem;
  background: var(--shade); border-radius: 6px; padding: .75rem 1rem; font-size: .95rem; }
nav h2 { all: unset; display: block; font-weight: 600; margin-bottom: .25rem; }
nav ol { margin: 0; padding-left: 1.5rem; columns: 18rem 2; column-gap: 2rem; }
nav li { break-inside: avoid; padding: .12rem 0; }
blockquote { max-width: 46rem;
  margin: .75rem 0 1.5rem; padding: .1rem .9rem; border-left: 3px solid var(--line);
  color: var(--soft); font-size: .92rem; }
blockquote p { margin: .35rem 0; }
blockquote strong { color: var(--ink); }
figure { margin: 1.25rem 0; background: #fff; border-radius: 6px; }
figure svg { display: block; width: 100%; max-width: 36rem; height: auto; margin: 0 auto; }
.scroll { overflow-x: auto; margin: 1rem 0; border-bottom: 1px solid var(--line); }
.scroll:focus-visible, a:focus-visible { outline: 2px solid var(--mark); outline-offset: 2px; }
table { border-collapse: separate; border-spacing: 0; font-size: .9rem; line-height: 1.35;
  font-variant-numeric: tabular-nums; min-width: 60%; }
th, td { padding: .38rem .7rem; border-bottom: 1px solid var(--line); text-align: left;
  vertical-align: baseline; white-space: nowrap; }
thead th { border-bottom: 2px solid var(--soft); font-weight: 600; vertical-align: bottom;
  white-space: normal; }
tbody tr:last-child > * { border-bottom: 0; }
td.long { white-space: normal; min-width: 15rem; max-width: 36rem; }
th:first-child, td:first-child { position: sticky; left: 0; background: var(--paper);
  padding-left: 0; }
@media screen and (min-width: 66rem) {
  .scroll { width: max-content; min-width: 100%; max-width: min(95vw, 80rem);
    position: relative; left: 50%; transform: translateX(-50%); }
}
@media (max-width: 30rem) {
  body { padding: 1rem .9rem 3rem; }
  h1 { font-size: 1.4rem; }
  h2 { font-size: 1.18rem; margin-top: 2.25rem; }
  table { font-size: .84rem; }
  th, td { padding: .35rem .5rem; }
  table { min-width: 100%; }
  th:first-child:not(.brief), td:first-child:not(.brief) { white-space: normal; }
  th:first-child:not(.brief), td:first-child:not(.brief) { min-width: 6.2rem; }
  th:first-child, td:first-child { max-width: 8rem;
    box-shadow: 1px 0 0 var(--line); }
}
@media print {
  @page { size: A4; margin: 16mm 14mm; }
  :root { --ink: #000; --soft: #333; --line: #999; --paper: #fff; --shade: #f3f3f3;
    --link: #0b3d75; --mark: #0072b2; }
  html { font-size: 9.5pt; }
  body { max-width: none; padding: 0; }
  h1 { font-size: 17pt; }
  h2 { font-size: 13pt; margin-top: 1.5rem; }
  h2, h3 { break-after: avoid; break-inside: avoid; }
  p:has(+ .scroll), p:has(+ figure) { break-after: avoid; }
  figure, tr, blockquote, pre, nav { break-inside: avoid; }
  table { min-width: 0; width: 100%; }
  p, li { orphans: 3; widows: 3; }
  figure svg { max-width: 120mm; max-height: 235mm; }
  .scroll { overflow: visible; }
  thead { display: table-header-group; }
  table { font-size: 7.5pt; }
  th, td { white-space: normal; padding: 2pt 4pt; }
  td.long { min-width: 0; max-width: none; }
  .brief { white-space: nowrap; }
  p, ul, nav, blockquote { max-width: none; }
  th:first-child, td:first-child { position: static; background: none; }
  pre { overflow: visible; white-space: pre-wrap; }
  code { overflow-wrap: anywhere; }
  a[href*="arxiv.org"]::after { content: " (" attr(href) ")"; font-size: .9em; }
}
"""
