"""The style sheet of a report's page: dark on light, one column on a phone."""

CSS = """
:root { color-scheme: light; --ink: #1c2430; --soft: #55606e; --line: #d9dee5; --paper: #ffffff; --ground: #f5f6f8;
  --good: #006b4d; --warning: #7a5200; --bad: #a33c00; --link: #00558a; }
* { box-sizing: border-box; }
html { -webkit-text-size-adjust: 100%; text-size-adjust: 100%; }
body { margin: 0; background: var(--ground); color: var(--ink);
  font: 16px/1.5 system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", Arial, sans-serif; }
header, main { max-width: 76rem; margin: 0 auto; padding: 0 1.25rem; }
header { padding-top: 1.75rem; }
h1 { font-size: 1.7rem; line-height: 1.2; margin: 0; overflow-wrap: anywhere; }
header p { margin: .35rem 0 0; color: var(--soft); overflow-wrap: anywhere; }
h2 { font-size: 1.25rem; line-height: 1.3; margin: 0 0 .75rem; overflow-wrap: anywhere; }
h3 { font-size: 1rem; margin: 0; overflow-wrap: anywhere; }
p { margin: 0 0 .75rem; max-width: 46rem; overflow-wrap: anywhere; }
a { color: var(--link); }
a:focus-visible, [tabindex]:focus-visible { outline: 3px solid #56b4e9; outline-offset: 2px; }
main > section { margin: 1.25rem 0; scroll-margin-top: 1rem; }
main > section[id] { background: var(--paper); border: 1px solid var(--line); border-radius: 8px; padding: 1.25rem; }
nav ul { display: flex; flex-wrap: wrap; gap: .25rem 1.25rem; list-style: none; margin: 0; padding: 0; }
nav a { display: inline-block; padding: .25rem 0; }
.facts { display: grid; grid-template-columns: repeat(auto-fit, minmax(15rem, 1fr)); gap: .75rem; margin: 0; }
.fact { background: var(--paper); border: 1px solid var(--line); border-top: 4px solid var(--line); border-radius: 8px;
  padding: .75rem 1rem; min-width: 0; }
.fact.good { border-top-color: var(--good); } .fact.warning { border-top-color: #e69f00; }
.fact.bad { border-top-color: #d55e00; }
.fact dt { color: var(--soft); font-size: .9rem; }
.fact dd { margin: .15rem 0 0; }
.fact .value { font-size: 1.25rem; font-weight: 650; line-height: 1.25; overflow-wrap: anywhere; }
.note { display: block; color: var(--soft); font-size: .875rem; overflow-wrap: anywhere; }
.sign { font-weight: 700; }
.good > .sign, .good dd > .sign { color: var(--good); }
.warning > .sign, .warning dd > .sign { color: var(--warning); }
.bad > .sign, .bad dd > .sign { color: var(--bad); }
.figures { display: grid; grid-template-columns: repeat(auto-fill, minmax(min(100%, 27rem), 1fr)); gap: 1.5rem;
  align-items: start; margin: 0 0 1rem; }
figure { margin: 0; min-width: 0; }
@media (min-width: 62rem) { figure.tall { grid-row: span 2; } }
img { display: block; max-width: 100%; height: auto; margin: 0 auto; }
figcaption { color: var(--soft); font-size: .9rem; margin-top: .5rem; overflow-wrap: anywhere; }
figcaption strong { color: var(--ink); }
.files { white-space: nowrap; }
.scroll { overflow-x: auto; margin: 0 0 1rem; }
table { border-collapse: collapse; font-size: .9rem; font-variant-numeric: tabular-nums; }
.caption { color: var(--soft); font-size: .9rem; margin-bottom: .5rem; max-width: none; }
th, td { text-align: left; vertical-align: top; padding: .4rem .75rem; border-bottom: 1px solid var(--line);
  white-space: nowrap; }
thead th, thead td { vertical-align: bottom; border-bottom: 2px solid var(--soft); white-space: normal; }
thead th { min-width: 5rem; }
tbody th { font-weight: 600; position: sticky; left: 0; background: var(--paper); }
td.number, th.number { text-align: right; }
td .note, th .note { font-size: .8125rem; font-weight: 400; white-space: normal; max-width: 16rem;
  overflow-wrap: normal; }
pre { background: var(--ground); border: 1px solid var(--line); border-radius: 6px; padding: .75rem 1rem;
  margin: 0 0 .75rem; overflow-x: auto; max-height: 32rem; font-size: .8125rem; line-height: 1.45; }
pre.command { white-space: pre-wrap; overflow-wrap: anywhere; }
code { font-family: ui-monospace, "SFMono-Regular", Menlo, Consolas, "DejaVu Sans Mono", monospace;
  overflow-wrap: anywhere; }
pre code { overflow-wrap: inherit; }
.failure { border-left: 4px solid #d55e00; padding-left: 1rem; margin: 0 0 1.25rem; }
.failure p { margin: .35rem 0; }
.kind { color: var(--bad); font-weight: 400; }
.versions { display: grid; grid-template-columns: repeat(auto-fill, minmax(min(100%, 16rem), 1fr)); gap: .25rem 1.5rem;
  margin: 0; font-size: .9rem; }
.versions div { display: flex; gap: .5rem; min-width: 0; }
.versions dt { color: var(--soft); } .versions dd { margin: 0; overflow-wrap: anywhere; min-width: 0; }
@media (max-width: 40rem) {
  header, main { padding-left: .75rem; padding-right: .75rem; }
  main > section[id] { padding: .9rem .6rem; }
  .facts { grid-template-columns: repeat(auto-fit, minmax(9.5rem, 1fr)); }
  h1 { font-size: 1.4rem; }
}
@media print { body { background: none; }
  .scroll, pre { overflow: visible; max-height: none; } figure { break-inside: avoid; } }
"""
