//! The style sheet: colours for light and for dark surroundings, and system fonts.
//!
//! The colours of pages are those of Okabe and Ito, which people with any kind of colour vision can
//! tell apart; text in a band is dark but on the darkest of them. Rules come without variables,
//! since many programs that render SVG do not know these.

pub(super) const STYLE: &str = "
text{font-family:system-ui,-apple-system,'Segoe UI',Roboto,'Noto Sans','DejaVu Sans',sans-serif;\
font-size:11px;fill:#1c2128}
.h1{font-size:21px;font-weight:650}
.h2{font-size:15px;font-weight:650}
.who{font-size:13px;font-weight:650}
.lead{font-size:12.5px}
.strong{font-weight:650}
.mono{font-family:ui-monospace,SFMono-Regular,Menlo,Consolas,'DejaVu Sans Mono',monospace;\
font-size:10.5px}
.end{text-anchor:end}
.soft{fill:#57606a}
.cap{font-size:10px;letter-spacing:.06em;fill:#57606a}
.back{fill:#fff}
.panel{fill:#f6f8fa;stroke:#d4dae1}
.rule{stroke:#d4dae1}
.on{fill:#14181d;pointer-events:none}
.on-private{fill:#fff;pointer-events:none}
.off{fill:#57606a;pointer-events:none}
.private{fill:#0072b2}
.shared{fill:#e69f00}
.merged{fill:#cc79a7}
.file{fill:#009e73}
.zero{fill:#56b4e9}
.swapped{fill:#a3a9b1}
.guard{fill:#d55e00}
.none{fill:#fff;stroke:#98a2ae;stroke-dasharray:3 2}
.unmapped{fill:none;stroke:#98a2ae;stroke-dasharray:1 3}
.flow{fill-opacity:.3}
.flow:hover{fill-opacity:.6}
.d1{fill-opacity:.35}
.d2{fill-opacity:.65}
.tick{stroke:#fff;stroke-opacity:.8;fill:none}
.hatch{stroke:#14181d;stroke-opacity:.3;stroke-width:2}
.bars{stroke:#14181d;stroke-opacity:.45;stroke-width:1}
.table{fill:url(#table);pointer-events:none}
.barred{fill:url(#guard);pointer-events:none}
@media (prefers-color-scheme:dark){
text{fill:#e6edf3}
.soft,.cap,.off{fill:#9aa7b4}
.on{fill:#14181d}
.on-private{fill:#fff}
.back{fill:#0d1117}
.panel{fill:#161b22;stroke:#30363d}
.rule{stroke:#30363d}
.none{fill:#0d1117;stroke:#6e7b89}
.unmapped{stroke:#6e7b89}
.flow{fill-opacity:.42}
}
";
