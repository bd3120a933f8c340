//! Draws the panels: a heading that says how to read it, a legend, and a grid of panels.

mod layout;
mod shapes;
mod sheet;
mod style;

use cowslip::vm::ForkMode;
use svg::{
    Document,
    node::element::{Definitions, Group, Line, Pattern, Style},
};

use self::{
    layout::{Layout, Scale},
    shapes::{px, rectangle, text, title, width},
};
use super::{
    Shown,
    panel::{Kind, Panel},
};

/// Panels beside each other, and the space between and around them.
const COLUMNS: usize = 3;
const GAP: f64 = 16.0;
const MARGIN: f64 = 24.0;

pub(super) fn draw(name: &str, fork: ForkMode, panels: &[Panel], shown: Shown) -> String {
    let columns = panels.len().clamp(2, COLUMNS);
    let all = MARGIN * 2.0 + columns as f64 * (sheet::WIDTH + GAP) - GAP;
    let mut body = Group::new();
    let mut top = heading(&mut body, name, fork, panels, shown);
    top = legend(&mut body, panels, top, all - MARGIN * 2.0) + GAP;

    let scale = Scale::new(panels);
    for row in panels.chunks(columns) {
        let layouts: Vec<Layout> = row.iter().map(|panel| Layout::new(panel, &scale)).collect();
        let head = row.iter().map(sheet::head_height).fold(0.0, f64::max);
        let height = head + layouts.iter().map(|layout| layout.height).fold(0.0, f64::max);
        for (column, (panel, layout)) in row.iter().zip(&layouts).enumerate() {
            let left = MARGIN + column as f64 * (sheet::WIDTH + GAP);
            body = body.add(sheet::draw(panel, layout, (left, top), head, height + sheet::FOOT));
        }
        top += height + sheet::FOOT + GAP;
    }
    let height = top + MARGIN - GAP;
    Document::new()
        .set("xmlns", "http://www.w3.org/2000/svg")
        .set("role", "img")
        .set("viewBox", (0, 0, px(all), px(height)))
        .set("width", px(all))
        .set("height", px(height))
        .add(title(&format!("{name}: address spaces and the frames behind them")))
        .add(Style::new(style::STYLE))
        .add(patterns())
        .add(rectangle("back", (0.0, 0.0), (all, height)))
        .add(body)
        .to_string()
        + "\n"
}

/// The title and how to read the picture. Returns where it ends.
fn heading(body: &mut Group, name: &str, fork: ForkMode, panels: &[Panel], shown: Shown) -> f64 {
    let mode = match fork {
        ForkMode::Eager => "fork copies the page tables, as Linux does (--fork eager)",
        ForkMode::Shared => "fork shares the page tables until they are changed (--fork shared)",
    };
    let Shown { all, shown } = shown;
    let moments = match shown < all {
        true => format!(
            "{shown} of the {all} moments of the trace: the first, the last, and evenly between"
        ),
        false if all == 1 => "one moment of the trace".to_owned(),
        false => format!("{all} moments of the trace"),
    };
    let mut lines = vec![
        ("h1", name.to_owned(), 30.0),
        ("lead", format!("{mode} · {moments}"), 20.0),
        (
            "soft",
            "Left in each panel: what each process sees, page for page. Right: the frames that are \
             there, each drawn once."
                .to_owned(),
            22.0,
        ),
        (
            "soft",
            "Ribbons lead from pages to their frames: where several meet, processes share. Heights \
             grow with the cube root of the number of pages;"
                .to_owned(),
            15.0,
        ),
        (
            "soft",
            "the narrow strip beside a region shows it at true scale, faint where few pages are \
             there."
                .to_owned(),
            15.0,
        ),
    ];
    if panels.iter().any(|panel| panel.spaces.iter().any(|space| space.leaves_shared > 0)) {
        lines.push((
            "soft",
            "Hatched bands stand in page tables that several processes share.".to_owned(),
            15.0,
        ));
    }
    let mut y = MARGIN - 8.0;
    for (class, line, height) in lines {
        y += height;
        append(body, text(class, (MARGIN, y), &line));
    }
    y
}

/// What the colours mean, of those that occur. Returns where it ends.
fn legend(body: &mut Group, panels: &[Panel], top: f64, room: f64) -> f64 {
    let occurs = |kind: &Kind| {
        let mut regions =
            panels.iter().flat_map(|panel| &panel.spaces).flat_map(|space| &space.regions);
        regions.any(|region| region.bands.iter().any(|band| band.kind == *kind))
    };
    let (mut x, mut y) = (0.0, top + 14.0);
    for kind in Kind::ALL.into_iter().filter(occurs) {
        let (name, meaning) = (kind.name(), kind.meaning());
        // Bold is wider.
        let name_width = width(name, 11.0) * 1.2 + 8.0;
        let all = 24.0 + name_width + width(meaning, 11.0);
        if x > 0.0 && x + all > room {
            (x, y) = (0.0, y + 20.0);
        }
        let left = MARGIN + x;
        append(body, rectangle(name, (left, y), (16.0, 12.0)).set("rx", 2));
        if kind == Kind::Guard {
            append(body, rectangle("barred", (left, y), (16.0, 12.0)).set("rx", 2));
        }
        append(body, text("strong", (left + 22.0, y + 10.0), name));
        append(body, text("soft", (left + 22.0 + name_width, y + 10.0), meaning));
        x += all + 22.0;
    }
    y + 14.0
}

fn append(group: &mut Group, element: impl Into<Box<dyn svg::Node>>) {
    svg::Node::append(group, element);
}

fn patterns() -> Definitions {
    let pattern = |name: &str, class: &str, turned: &str, step: u32| {
        let line = Line::new().set("class", class).set("y2", step);
        Pattern::new()
            .set("id", name)
            .set("width", step)
            .set("height", step)
            .set("patternUnits", "userSpaceOnUse")
            .set("patternTransform", turned)
            .add(line)
    };
    Definitions::new().add(pattern("table", "hatch", "rotate(45)", 7)).add(pattern(
        "guard",
        "bars",
        "rotate(-45)",
        5,
    ))
}
